// MSAL for Node, unchanged, with a network of its own: whatever host it asks for,
// the sandbox answers.
import assert from 'node:assert/strict';
import https from 'node:https';
import { createRequire } from 'node:module';

const { PublicClientApplication } = createRequire(`${process.env.MODULES}/`)('@azure/msal-node');
const azureCLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';
const login = 'https://login.microsoftonline.com';
const sandbox = new URL(process.env.SANDBOX);
const [application] = process.argv.slice(2);

const dial = (address, method, { headers = {}, body } = {}) => new Promise((resolve, reject) => {
  const url = new URL(address);
  const request = https.request({
    host: sandbox.hostname, port: sandbox.port, servername: url.hostname, method, path: url.pathname + url.search,
    headers: { ...headers, host: url.host },
  }, response => {
    let text = '';
    response.on('data', part => { text += part; });
    response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: JSON.parse(text) }));
  });
  request.on('error', reject);
  request.end(body);
});

const get = (address, token) => dial(address, 'GET', { headers: { authorization: `Bearer ${token}` } });

const client = new PublicClientApplication({
  auth: { clientId: azureCLI, authority: `${login}/organizations` },
  system: {
    networkClient: {
      sendGetRequestAsync: (url, options) => dial(url, 'GET', options),
      sendPostRequestAsync: (url, options) => dial(url, 'POST', options),
    },
  },
});

let codes = 0;
const home = await client.acquireTokenByDeviceCode({
  scopes: ['https://graph.microsoft.com/.default'], deviceCodeCallback: () => { codes++; },
});
assert.equal(home.account.username, 'admin@contoso.onmicrosoft.com');
const found = await get(`https://graph.microsoft.com/v1.0/applications(appId='${application}')?$select=appId,displayName`, home.accessToken);
assert.equal(found.status, 200, JSON.stringify(found.body));
assert.equal(found.body.displayName, 'Contoso automation');

// Where else this account can go, as the portals ask.
const azure = await client.acquireTokenSilent({ account: home.account, scopes: ['https://management.azure.com/.default'] });
const tenants = (await get('https://management.azure.com/tenants?api-version=2022-12-01', azure.accessToken)).body.value;
assert.deepEqual(tenants.map(t => t.displayName), ['Contoso', 'Fabrikam']);

// The refresh token of home serves the tenant where the account is a guest. MSAL
// looks for cached tokens under the account's own tenant, so it is told not to.
const elsewhere = tenant => client.acquireTokenSilent({
  account: home.account, scopes: ['https://graph.microsoft.com/.default'], authority: `${login}/${tenant}`, forceRefresh: true,
});
const away = await elsewhere(tenants[1].tenantId);
assert.equal(away.tenantId, tenants[1].tenantId);
assert.equal(away.account.homeAccountId, home.account.homeAccountId);
const organization = await get('https://graph.microsoft.com/v1.0/organization?$select=id,displayName', away.accessToken);
assert.equal(organization.body.value[0].displayName, 'Fabrikam');
assert.equal(codes, 1);

// Where it is nobody, it stays outside.
await assert.rejects(elsewhere('northwindtraders.onmicrosoft.com'), /AADSTS50020/);
