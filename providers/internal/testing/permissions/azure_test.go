//go:build omnibucket_sdks

package permissions_test

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/permissions"
	"github.com/omnibucket/storage/providers/azure"
	rows "github.com/omnibucket/storage/providers/internal/testing/permissions"
)

// Each operation on Azure needs the permissions that docs/permissions.md lists for it. The recorded
// requests show which permissions it needs.
func TestPermissionsOfAzure(t *testing.T) {
	tests := []struct {
		name     string
		provider permissions.Provider
		config   azure.Config
	}{
		{
			name:     "by a role",
			provider: permissions.Azure,
			config:   azure.Config{Credential: token{}},
		},
		{
			name:     "by a shared access signature",
			provider: permissions.AzureSAS,
			config:   azure.Config{SASToken: "sv=2026-12-06&sig=c2VjcmV0&se=2099-01-01T00:00:00Z"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Check performs each operation in an account that this function opens on a test server. It
			// compares the permissions that the recorded requests need with those on the page.
			rows.Check(t, tt.provider, func(t *testing.T, _ rows.Kind) rows.Account {
				recorder := &rows.Recorder{}
				server := httptest.NewUnstartedServer(recorder.Wrap(newAzureServer()))
				// Discard the messages about connections that tests close.
				server.Config.ErrorLog = log.New(io.Discard, "", 0)
				server.StartTLS()
				t.Cleanup(server.Close)

				config := tt.config
				config.Account = "acme"
				config.HTTPClient = toServer(t, server.URL)
				service, err := azure.NewService(t.Context(), config)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, service.Close()) })
				return rows.Account{
					Recorder: recorder,
					Service:  service,
					Bucket:   "photos",
					Key:      azure.WithEncryptionScope("scope"),
					Archive:  "Archive",
				}
			})
		})
	}
}

// A token is a credential of Microsoft Entra ID.
type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}
