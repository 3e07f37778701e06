package azure

import (
	"cmp"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/named"
)

// useNamed sets the token credential from the variables that begin with the name. It is a service
// principal with a secret, a certificate or a federated token. If only a client's id is set, it is
// the managed identity with that id.
func (a *account) useNamed(name named.Credentials) error {
	host := a.endpoint.Hostname()
	opts := azcore.ClientOptions{Cloud: cloudOf(host)}

	// Every kind of identity has a client's id.
	clientID := name.Get("AZURE_CLIENT_ID")
	if clientID == "" {
		return a.accountCredentialsError(name)
	}
	tenantID := name.Get("AZURE_TENANT_ID")

	// The first of these that is set decides which kind of identity it is.
	secret := name.Get("AZURE_CLIENT_SECRET")
	certificatePath := name.Get("AZURE_CLIENT_CERTIFICATE_PATH")
	tokenPath := name.Get("AZURE_FEDERATED_TOKEN_FILE")
	var err error
	switch {
	// A service principal proves its identity by a secret or a certificate.
	case secret != "":
		a.token, err = credentialOrNil(azidentity.NewClientSecretCredential(
			tenantID, clientID, secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: opts},
		))
	case certificatePath != "":
		a.token, err = certificateCredential(name, certificatePath, opts)
	// A federated token is that of another identity service, in a file.
	case tokenPath != "":
		a.token, err = credentialOrNil(azidentity.NewWorkloadIdentityCredential(
			&azidentity.WorkloadIdentityCredentialOptions{
				ClientOptions: opts,
				ClientID:      clientID,
				TenantID:      tenantID,
				TokenFilePath: tokenPath,
			},
		))
	// Without any of these, the id is that of a managed identity, which is used only for hosts of Azure.
	case azureHost(host):
		a.token, err = credentialOrNil(azidentity.NewManagedIdentityCredential(
			&azidentity.ManagedIdentityCredentialOptions{
				ClientOptions: opts,
				ID:            azidentity.ClientID(clientID),
			},
		))
	default:
		return a.accountCredentialsError(name)
	}

	// An error of the SDK means that a variable is missing or invalid.
	if err != nil && storage.CodeOf(err) != storage.Unauthenticated {
		return argument.Invalid("the identity of "+name.Variable("AZURE_CLIENT_ID"), "must be complete: "+err.Error(), "")
	}
	return err
}

// accountCredentialsError returns the error for named credentials that do not exist for the account a. If
// they are for another account, the error names both accounts.
func (a *account) accountCredentialsError(name named.Credentials) error {
	storageErr := namedCredentialsError(name)
	account := name.Get("AZURE_STORAGE_ACCOUNT")
	if conn, err := parseConnectionString(name.Get("AZURE_STORAGE_CONNECTION_STRING")); err == nil {
		account = cmp.Or(conn.name, account)
	}
	if account != "" && account != a.name {
		storageErr.Err = fmt.Errorf("the credentials named %s are for the account %s, not for %s", name, account, a.name)
	}
	return storageErr
}

// namedCredentialsError returns the error for named credentials that do not exist, with the
// environment variables that could have them.
func namedCredentialsError(name named.Credentials) *storage.Error {
	connection := name.Variable("AZURE_STORAGE_CONNECTION_STRING")
	account := name.Variable("AZURE_STORAGE_ACCOUNT")
	key := name.Variable("AZURE_STORAGE_KEY")
	sas := name.Variable("AZURE_STORAGE_SAS_TOKEN")
	identity := name.Variable("AZURE_CLIENT_ID")
	return name.Missing(
		connection+" of the account",
		account+" with "+key+" or "+sas,
		identity+" with the other variables of an identity",
	)
}

// certificateCredential returns the credential of a service principal with the certificate in the
// file path. Its password, tenant and client are in variables that begin with the name.
func certificateCredential(
	name named.Credentials, path string, o azcore.ClientOptions,
) (azcore.TokenCredential, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, &storage.Error{
			Code: storage.Unauthenticated,
			Err:  err,
			Hint: "set " + name.Variable("AZURE_CLIENT_CERTIFICATE_PATH") + " to a file that can be read",
		}
	}

	certificates, key, err := azidentity.ParseCertificates(file, []byte(name.Get("AZURE_CLIENT_CERTIFICATE_PASSWORD")))
	if err != nil {
		return nil, err
	}
	return credentialOrNil(
		azidentity.NewClientCertificateCredential(
			name.Get("AZURE_TENANT_ID"), name.Get("AZURE_CLIENT_ID"), certificates, key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: o},
		),
	)
}
