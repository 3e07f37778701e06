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

// Each operation needs the permissions in docs/permissions.md.
func TestPermissionsOfAzure(t *testing.T) {
	tests := map[string]struct {
		provider permissions.Provider
		config   azure.Config
	}{
		"by a role": {
			provider: permissions.Azure,
			config:   azure.Config{Credential: token{}},
		},
		"by a shared access signature": {
			provider: permissions.AzureSAS,
			config:   azure.Config{SASToken: "sv=2026-12-06&sig=c2VjcmV0&se=2099-01-01T00:00:00Z"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rows.Check(t, tt.provider, func(t *testing.T, _ rows.Kind) rows.Account {
				recorder := &rows.Recorder{}
				server := httptest.NewUnstartedServer(recorder.Wrap(newAzureServer()))
				server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that tests close
				server.StartTLS()
				t.Cleanup(server.Close)
				c := tt.config
				c.Account = "acme"
				c.HTTPClient = toServer(t, server.URL)
				service, err := azure.NewService(t.Context(), c)
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
