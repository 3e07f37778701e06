package azurekeyvault

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/omnibucket/storage/layers/encrypt/internal/kms"
)

// A credential returns tokens of another credential, which it wraps. If none is given, the first
// call creates Azure's default chain and wraps that.
type credential struct {
	from azcore.TokenCredential
	once sync.Once
	err  error
}

// GetToken implements [azcore.TokenCredential].
func (c *credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.once.Do(func() {
		if c.from == nil {
			c.from, c.err = azidentity.NewDefaultAzureCredential(nil)
		}
	})
	if c.err != nil {
		return azcore.AccessToken{}, kms.NoCredentials(c.err, false, hint)
	}
	token, err := c.from.GetToken(ctx, o)
	if err == nil || ctx.Err() != nil {
		return token, err
	}
	var network net.Error
	passes := errors.As(err, &network)
	if authErr, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok && authErr.RawResponse != nil {
		passes = kms.MayPass(authErr.RawResponse.StatusCode)
	}
	return token, kms.NoCredentials(err, passes, hint)
}

const hint = "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or log in with Azure's command line"
