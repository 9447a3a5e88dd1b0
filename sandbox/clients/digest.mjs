// What other people's programs did, looked up in the sandbox itself.
import assert from 'node:assert/strict';
import fs from 'node:fs';

const named = (list, name) => {
  const found = list.filter(entry => entry.name === name);
  assert.equal(found.length, 1, `${found.length} of ${list.map(e => e.name).join(', ')} are called ${name}`);
  return found[0];
};

const contoso = async () => {
  // Node's own fetch takes no notice of HTTPS_PROXY.
  const response = await fetch(`${process.env.SANDBOX}/_sandbox/digest`);
  return (await response.json()).tenants.Contoso;
};

// granted compares an app and its service principal with what they should be.
const granted = async (name, { listed, scopes, roles, secrets }) => {
  const tenant = await contoso();
  const app = named(tenant.applications, name);
  assert.deepEqual(app.requiredResourceAccess, { 'Microsoft Graph': listed });
  assert.equal(app.secrets, secrets);
  const principal = named(tenant.servicePrincipals, name);
  const grant = { resource: 'Microsoft Graph', consentType: 'AllPrincipals', scopes };
  assert.deepEqual(principal.delegated, scopes ? [grant] : []);
  assert.deepEqual(principal.roles, roles ? { 'Microsoft Graph': roles } : {});
};

const checks = {
  'az-listed': () => granted('Contoso automation', {
    listed: ['Application.ReadWrite.All/application', 'User.Read/delegated'], secrets: 0,
  }),
  'az-granted': () => granted('Contoso automation', {
    listed: ['Application.ReadWrite.All/application', 'User.Read/delegated'], scopes: ['User.Read'], roles: ['Application.ReadWrite.All'], secrets: 1,
  }),
  'm365-granted': () => granted('Contoso reports', {
    listed: ['User.Read.All/application'], roles: ['User.Read.All'], secrets: 1,
  }),
  'cli-token': file => {
    const claims = JSON.parse(Buffer.from(fs.readFileSync(file, 'utf8').split('.')[1], 'base64url'));
    assert.equal(claims.appid, '04b07795-8ddb-461a-bbee-02f9e1bf7b46');
    const scopes = claims.scp.split(' ');
    assert.ok(scopes.includes('Application.ReadWrite.All'), claims.scp);
    assert.ok(!scopes.includes('Policy.Read.All'), claims.scp);
  },
};

const [name, ...rest] = process.argv.slice(2);
await checks[name](...rest);
