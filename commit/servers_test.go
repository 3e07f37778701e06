//go:build !race || omnibucket_sdks

// To build the SDKs of the stores for the race detector takes longer than all tests of this package. "make
// race" does that, and tools/scripts/tests runs these tests without it.

package commit_test

import (
	"net/url"
	"os"
	"testing"

	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

var servers = []store{
	{
		name: "minio",
		address: func(t *testing.T) string {
			const variable = "OMNIBUCKET_TEST_MINIO"
			endpoint := testserver.Need(t, variable)
			t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv(variable+"_KEY"))
			t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv(variable+"_SECRET"))
			return freshbucket.Address(t, "s3", url.Values{
				"region":     {"us-east-1"},
				"path_style": {"true"},
				"profile":    {"minio"},
				"endpoint":   {endpoint},
			})
		},
	},
	{
		name: "gcs",
		address: func(t *testing.T) string {
			return freshbucket.Address(t, "gs", url.Values{
				"anonymous": {"true"},
				"project":   {"project"},
				"endpoint":  {testserver.Need(t, "OMNIBUCKET_TEST_GCS")},
			})
		},
	},
	{
		name: "azurite",
		address: func(t *testing.T) string {
			endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
			account := os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")
			t.Setenv("AZURE_STORAGE_ACCOUNT", account)
			t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
			return freshbucket.Address(t, "azblob", url.Values{"account": {account}, "endpoint": {endpoint}})
		},
	},
}

// TestLogKilledAtEveryCallOnServers is TestLogKilledAtEveryCall with servers.
func TestLogKilledAtEveryCallOnServers(t *testing.T) {
	testKillsAtEveryCall(t, servers, func(t *testing.T, row func(*testing.T)) {
		row(t)
	})
}

// TestLogIsLinearizableOnServers is TestLogIsLinearizable with servers.
func TestLogIsLinearizableOnServers(t *testing.T) { testLinearizable(t, servers, 2) }
