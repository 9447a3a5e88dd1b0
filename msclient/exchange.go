package msclient

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// Exchange is Exchange Online in one tenant, for an app that acts as itself. It
// keeps one token: what the app was given since takes another Exchange.
// https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2
type Exchange struct {
	service *Service
	tenant  string
}

// systemMailbox is what a call without a mailbox of its own is about.
const systemMailbox = "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"

// Exchange gives an app access to Exchange Online in its tenant.
func (c *Client) Exchange(a App) (*Exchange, error) {
	signer, err := c.newAppSigner(a)
	if err != nil {
		return nil, err
	}
	host := c.cloud.Exchange
	return &Exchange{tenant: a.TenantID, service: &Service{
		client: c, name: "exchange", host: host, log: c.log, refine: exchangeWords,
		line: runtime.NewPipeline("msbundle", "v1", runtime.PipelineOptions{
			PerCall:  []policy.Policy{requestID{}},
			PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(appCredential{signer}, []string{"https://" + host + "/.default"}, nil)},
		}, &policy.ClientOptions{Transport: c.http, Telemetry: policy.TelemetryOptions{ApplicationID: "msbundle"}}),
	}}, nil
}

// appCredential gets an app's tokens in its own tenant.
type appCredential struct{ signer *appSigner }

func (k appCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := k.signer.token(ctx, "", o)
	if err != nil {
		return azcore.AccessToken{}, &unsent{err}
	}
	return token, nil
}

// Read runs a cmdlet that only reads and decodes its results. A refusal is an
// *Error, or an *AuthError of the sign-in service.
func (x *Exchange) Read(ctx context.Context, cmdlet string, into any) error {
	// A refused token is not tried twice, as elsewhere: none is had for the app that
	// would do better, until the service knows of its role.
	header := http.Header{}
	header.Set("X-AnchorMailbox", systemMailbox+x.tenant)
	header.Set("X-CmdletName", cmdlet)
	header.Set("Prefer", "odata.maxpagesize=1000")
	res, err := x.service.once(ctx, Request{
		Method: http.MethodPost, Path: "/adminapi/beta/" + x.tenant + "/InvokeCommand", Header: header,
		Body: map[string]any{"CmdletInput": map[string]any{"CmdletName": cmdlet, "Parameters": map[string]any{}}},
	}, true)
	if err != nil {
		return err
	}
	var page struct {
		Value json.RawMessage `json:"value"`
	}
	if err := res.Decode(&page); err != nil {
		return err
	}
	return (&Response{Body: page.Value}).Decode(into)
}

// exchangeWords picks the words of a refusal that say something: Exchange has them
// in one of several places.
func exchangeWords(e *Error, _ http.Header, body []byte) {
	var envelope struct {
		Error struct {
			Inner struct {
				Message  string `json:"message"`
				Internal struct {
					Message string `json:"message"`
				} `json:"internalexception"`
			} `json:"innererror"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return
	}
	details := ""
	for _, d := range e.Details {
		details = cmp.Or(details, d.Message)
	}
	inner := envelope.Error.Inner
	e.Message = cmp.Or(inner.Message, e.Message, details, inner.Internal.Message)
}
