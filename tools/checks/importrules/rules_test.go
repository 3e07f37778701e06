package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRules(t *testing.T) {
	for _, row := range []struct {
		name, importer, imports string
		want                    string // part of the message; "": none
	}{
		{"the root and the standard library", module, "crypto/x509", ""},
		{"the root and a package that the standard library vendors", module, "vendor/golang.org/x/net/idna", ""},
		{"the root and telemetry", module, "go.opentelemetry.io/otel/trace", ""},
		{"the root and an SDK", module, "github.com/aws/aws-sdk-go-v2/service/s3", "the root, driver and engine import"},
		{"the root and the ordered map", module, "github.com/tidwall/btree", "the root, driver and engine import"},
		{"the root and testing", module, "testing", "for testing"},
		{"a machine and the standard library", module + "/engine/internal/pace", "sync/atomic", ""},
		{"a machine and another internal package", module + "/engine/internal/pace", module + "/internal/ctxtime", ""},
		{"a machine and the API", module + "/engine/internal/pace", module, "a machine of the engine"},
		{"a machine and telemetry", module + "/engine/internal/pace", "go.opentelemetry.io/otel/trace", "a machine of the engine"},
		{"the machine of telemetry and telemetry", module + "/engine/internal/telemetry", "go.opentelemetry.io/otel/trace", ""},
		{"memstore and the ordered map", module + "/memstore", "github.com/tidwall/btree", ""},
		{"memstore and an SDK", module + "/memstore", "cloud.google.com/go/storage", "memstore adds"},
		{"memstore and a provider", module + "/memstore", module + "/providers/local", "memstore adds"},
		{"a provider and its SDK", module + "/providers/s3", "github.com/aws/aws-sdk-go-v2/aws", ""},
		{"a provider and its own subpackage", module + "/providers/s3", module + "/providers/s3/profile", ""},
		{"a provider and another", module + "/providers/s3", module + "/providers/s3compat", "no other provider"},
		{"a provider and what providers share", module + "/providers/s3", module + "/providers/internal/address", ""},
		{"a provider and memory", module + "/providers/local", module + "/memstore", "no other provider"},
		{"a provider and a job", module + "/providers/local", module + "/serve", "imports no job"},
		{"a job and a provider", module + "/serve", module + "/providers/local", "a job or layer imports no provider"},
		{"a job and the root", module + "/serve", module, ""},
		{"an example and a provider", module + "/examples/quickstart", module + "/providers/local", ""},
		{"an example and the suite", module + "/examples/quickstart", module + "/storagetest", "only for tests"},
		{"the program that runs the suite", module + "/cmd/certify", module + "/storagetest", ""},
		{"staging and the fault layer", module + "/examples/quickstart", module + "/storagetest/faults", ""},
		{"the suite and testing", module + "/storagetest", "testing", ""},
		{"the fault layer and testing", module + "/storagetest/faults", "testing", "for testing"},
		{"a provider and a package for tests", module + "/providers/s3", module + "/internal/testing/wiretest", "internal/testing is only for tests"},
		{"a provider and a package for tests of providers", module + "/providers/s3", module + "/providers/internal/testing/killtest", "internal/testing is only for tests"},
		{"a job and a server for tests", module + "/transfer", module + "/internal/testing/wiretest", "internal/testing is only for tests"},
		{"a package for tests and another", module + "/internal/testing/wiretest", module + "/internal/testing/testserver", ""},
		{"a package for tests and testing", module + "/internal/testing/wiretest", "testing", ""},
		{"a shared package and the root", module + "/internal/sdkerror", module, ""},
		{"a shared package and a provider", module + "/providers/internal/address", module + "/providers/s3", "imports no provider and no SDK"},
		{"a shared package and an SDK", module + "/internal/sdkerror", "github.com/aws/smithy-go", "imports no provider and no SDK"},
		{"a package for drivers and an SDK", module + "/driver", "github.com/aws/smithy-go", "imports no provider and no SDK"},
		{"a part of s3server and another", module + "/s3server/internal/policy", module + "/s3server/internal/tagging", ""},
		{"a part of s3server and the server", module + "/s3server/internal/policy", module + "/s3server", "knows neither"},
		{"a part of s3server and a store", module + "/s3server/internal/policy", module, "knows neither"},
		{"a store of s3server and the root", module + "/s3server/internal/memory", module, ""},
		{"a store of s3server and a driver", module + "/s3server/internal/memory", module + "/memstore", "takes a driver from its caller"},
		{
			"a module beside this one and an internal package", module + "/layers/encrypt",
			module + "/internal/argument", "imports none of its internal",
		},
		{
			"a module beside this one and its own internal package", module + "/layers/encrypt",
			module + "/layers/encrypt/internal/kms", "",
		},
		{"an adapter and the root", module + "/adapters/tus", module, ""},
		{"a package with a similar name", module + "/memstorefront", "cloud.google.com/go/storage", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := check([]pkg{{ImportPath: row.importer, Imports: []string{row.imports}, Deps: []string{row.imports}}})
			if row.want == "" {
				require.Empty(t, got)
				return
			}
			require.NotEmpty(t, got)
			require.Contains(t, got[0], row.want)
		})
	}
}

func TestThisModule(t *testing.T) {
	broken, err := run(filepath.Join("..", "..", ".."), "./...")
	require.NoError(t, err)
	require.Empty(t, broken)
}

// The go.mod of the library requires no database driver, because it would then be required by the programs of
// users.
func TestGoModRequiresNoDatabaseDriver(t *testing.T) {
	requirements, err := os.ReadFile(filepath.Join("..", "..", "..", "go.mod"))
	require.NoError(t, err)
	for _, driver := range []string{"modernc.org/", "github.com/jackc/", "sqlite", "github.com/lib/pq", "github.com/go-sql-driver/"} {
		require.NotContains(t, string(requirements), driver)
	}
}
