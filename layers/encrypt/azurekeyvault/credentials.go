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
	wrapped azcore.TokenCredential // nil until the first call if none is given
	once    sync.Once
	err     error // of the creation of wrapped
}

// GetToken returns a token of the given or the default credentials. If there are none, the error says
// which ones to set. It implements [azcore.TokenCredential].
func (c *credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.once.Do(func() {
		if c.wrapped == nil {
			c.wrapped, c.err = azidentity.NewDefaultAzureCredential(nil)
		}
	})
	if c.err != nil {
		const isTemporary = false
		return azcore.AccessToken{}, kms.NoCredentials(c.err, isTemporary, hint)
	}
	token, err := c.wrapped.GetToken(ctx, o)
	if err == nil || ctx.Err() != nil {
		return token, err
	}
	return token, kms.NoCredentials(err, isTemporary(err), hint)
}

// isTemporary reports whether a request for a token may succeed later, judging by the status of the
// response or a failure of the network.
func isTemporary(err error) bool {
	authErr, ok := errors.AsType[*azidentity.AuthenticationFailedError](err)
	if ok && authErr.RawResponse != nil {
		return kms.IsTemporaryStatus(authErr.RawResponse.StatusCode)
	}

	var netErr net.Error
	return errors.As(err, &netErr)
}

const hint = "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or log in with Azure's command line"
