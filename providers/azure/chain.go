package azure

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// azureHost reports whether a host belongs to one of Azure's clouds.
func azureHost(host string) bool {
	domains := []string{".windows.net", ".azure.net", ".chinacloudapi.cn", ".usgovcloudapi.net", ".cloudapi.de"}
	return slices.ContainsFunc(domains, func(domain string) bool { return strings.HasSuffix(host, domain) })
}

// cloudOf returns the cloud to which a host belongs. The SDK would otherwise ask the identity
// service of the public cloud, which has no accounts of the other clouds.
// https://learn.microsoft.com/azure/developer/go/sdk/sovereign-clouds
func cloudOf(host string) cloud.Configuration {
	if os.Getenv("AZURE_AUTHORITY_HOST") != "" {
		// The SDK reads the variable only if the cloud is zero.
		return cloud.Configuration{}
	}
	if strings.HasSuffix(host, ".usgovcloudapi.net") {
		return cloud.AzureGovernment
	}
	if strings.HasSuffix(host, ".chinacloudapi.cn") {
		return cloud.AzureChina
	}
	return cloud.Configuration{}
}

// A defaultChain is Azure's default credential chain. It is created when the first token is needed.
// If isForeign is true, the endpoint may not receive a token (see account.mayReceive), and the chain
// has none.
type defaultChain struct {
	isForeign bool
	cloud     cloud.Configuration // zero means the cloud of AZURE_AUTHORITY_HOST, or else the public cloud
	once      sync.Once
	inner     azcore.TokenCredential
	err       error
}

const notAzureHint = "for a server or domain of your own set Config.Credential or Config.SASToken, name the credentials with Config.Credentials (credentials=), or use anonymous=true"

const credentialsHint = "set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, log in with Azure's command line, or use anonymous=true for a public container"

// GetToken returns a token of the chain, which the first call creates. It fails with Unauthenticated if
// the chain cannot be created, or if the endpoint may not receive a token.
func (c *defaultChain) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if c.isForeign {
		return azcore.AccessToken{}, &storage.Error{
			Code: storage.Unauthenticated,
			Hint: notAzureHint,
			Err:  errors.New("the endpoint is not one of Azure's over https, so it receives no credentials of the environment"),
		}
	}
	c.once.Do(c.open)
	if c.err != nil {
		return azcore.AccessToken{}, &storage.Error{Code: storage.Unauthenticated, Err: c.err, Hint: credentialsHint}
	}
	return translatingCredential{credential: c.inner}.GetToken(ctx, o)
}

func (c *defaultChain) open() {
	o := azcore.ClientOptions{Cloud: c.cloud}
	c.inner, c.err = credentialOrNil(azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: o}))
}

// credentialOrNil converts the results of a constructor of a credential to an interface. If err is not
// nil, the interface is nil, and not an interface that contains a nil pointer.
func credentialOrNil[C any, P interface {
	*C
	azcore.TokenCredential
}](credential P, err error) (azcore.TokenCredential, error) {
	if err != nil {
		return nil, err
	}
	return credential, nil
}

// A translatingCredential converts the credential's errors to storage.Errors. Otherwise the SDK
// would report them as errors of the request that needs the token.
type translatingCredential struct{ credential azcore.TokenCredential }

// GetToken returns a token of the credential, or a storage.Error, unless ctx has ended.
func (n translatingCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := n.credential.GetToken(ctx, o)
	if err == nil || ctx.Err() != nil || sdkerror.IsType[*storage.Error](err) {
		return token, err
	}
	return token, tokenError(err)
}

// tokenError translates the error of a token request. It is Unavailable and retryable if another
// request may succeed. With Config.Client, the engine must retry such a request, because the SDK does
// not. Any other error is Unauthenticated, because the credential is missing or was refused.
func tokenError(err error) *storage.Error {
	if isTemporaryTokenError(err) {
		return &storage.Error{
			Code:      storage.Unavailable,
			Retryable: true,
			Err:       err,
			Hint:      "the identity service is unavailable",
		}
	}
	return &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: credentialsHint}
}

// isTemporaryTokenError reports whether another token request may succeed, because the network or the
// identity service has failed.
func isTemporaryTokenError(err error) bool {
	authErr, ok := errors.AsType[*azidentity.AuthenticationFailedError](err)
	if !ok || authErr.RawResponse == nil {
		return sdkerror.IsType[net.Error](err)
	}
	switch status := authErr.RawResponse.StatusCode; status {
	case http.StatusNotFound, http.StatusGone:
		// A metadata service responds like this while it starts.
		// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling
		return true
	default:
		return sdkerror.IsRetryable(sdkerror.CodeFromStatus(status))
	}
}
