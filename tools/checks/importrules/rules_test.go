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
		{name: "the root and the standard library", importer: module, imports: "crypto/x509", want: ""},
		{name: "the root and a package that the standard library vendors", importer: module, imports: "vendor/golang.org/x/net/idna", want: ""},
		{name: "the root and telemetry", importer: module, imports: "go.opentelemetry.io/otel/trace", want: ""},
		{
			name:     "the root and an SDK",
			importer: module,
			imports:  "github.com/aws/aws-sdk-go-v2/service/s3",
			want:     "the root, driver and engine import",
		},
		{name: "the root and the ordered map", importer: module, imports: "github.com/tidwall/btree", want: "the root, driver and engine import"},
		{name: "the root and testing", importer: module, imports: "testing", want: "for testing"},
		{name: "a machine and the standard library", importer: module + "/engine/internal/pace", imports: "sync/atomic", want: ""},
		{name: "a machine and another internal package", importer: module + "/engine/internal/pace", imports: module + "/internal/running", want: ""},
		{name: "a machine and the API", importer: module + "/engine/internal/pace", imports: module, want: "a machine of the engine"},
		{
			name:     "a machine and telemetry",
			importer: module + "/engine/internal/pace",
			imports:  "go.opentelemetry.io/otel/trace",
			want:     "a machine of the engine",
		},
		{
			name:     "the machine of telemetry and telemetry",
			importer: module + "/engine/internal/telemetry",
			imports:  "go.opentelemetry.io/otel/trace",
			want:     "",
		},
		{
			name:     "a job and a part of the core",
			importer: module + "/transfer",
			imports:  module + "/internal/core/buffer",
			want:     "for the root and the engine",
		},
		{name: "the engine and a part of the core", importer: module + "/engine", imports: module + "/internal/core/buffer", want: ""},
		{name: "memstore and the ordered map", importer: module + "/memstore", imports: "github.com/tidwall/btree", want: ""},
		{name: "memstore and an SDK", importer: module + "/memstore", imports: "cloud.google.com/go/storage", want: "memstore adds"},
		{name: "memstore and a provider", importer: module + "/memstore", imports: module + "/providers/local", want: "memstore adds"},
		{name: "a provider and its SDK", importer: module + "/providers/s3", imports: "github.com/aws/aws-sdk-go-v2/aws", want: ""},
		{name: "a provider and its own subpackage", importer: module + "/providers/s3", imports: module + "/providers/s3/profile", want: ""},
		{name: "a provider and another", importer: module + "/providers/s3", imports: module + "/providers/s3compat", want: "no other provider"},
		{name: "a provider and what providers share", importer: module + "/providers/s3", imports: module + "/providers/internal/address", want: ""},
		{name: "a provider and memory", importer: module + "/providers/local", imports: module + "/memstore", want: "no other provider"},
		{name: "a provider and a job", importer: module + "/providers/local", imports: module + "/serve", want: "imports no job"},
		{name: "a job and a provider", importer: module + "/serve", imports: module + "/providers/local", want: "a job or layer imports no provider"},
		{name: "a job and the root", importer: module + "/serve", imports: module, want: ""},
		{name: "an example and a provider", importer: module + "/examples/quickstart", imports: module + "/providers/local", want: ""},
		{name: "an example and the suite", importer: module + "/examples/quickstart", imports: module + "/storagetest", want: "only for tests"},
		{name: "the program that runs the suite", importer: module + "/cmd/certify", imports: module + "/storagetest", want: ""},
		{name: "staging and the fault layer", importer: module + "/examples/quickstart", imports: module + "/storagetest/faults", want: ""},
		{name: "the suite and testing", importer: module + "/storagetest", imports: "testing", want: ""},
		{name: "the fault layer and testing", importer: module + "/storagetest/faults", imports: "testing", want: "for testing"},
		{
			name:     "a provider and a package for tests",
			importer: module + "/providers/s3",
			imports:  module + "/internal/testing/wiretest",
			want:     "internal/testing is only for tests",
		},
		{
			name:     "a provider and a package for tests of providers",
			importer: module + "/providers/s3",
			imports:  module + "/providers/internal/testing/killtest",
			want:     "internal/testing is only for tests",
		},
		{
			name:     "a job and a server for tests",
			importer: module + "/transfer",
			imports:  module + "/internal/testing/wiretest",
			want:     "internal/testing is only for tests",
		},
		{
			name:     "a package for tests and another",
			importer: module + "/internal/testing/wiretest",
			imports:  module + "/internal/testing/testserver",
			want:     "",
		},
		{name: "a package for tests and testing", importer: module + "/internal/testing/wiretest", imports: "testing", want: ""},
		{name: "a shared package and the root", importer: module + "/internal/sdkerror", imports: module, want: ""},
		{
			name:     "a shared package and a provider",
			importer: module + "/providers/internal/address",
			imports:  module + "/providers/s3",
			want:     "imports no provider and no SDK",
		},
		{
			name:     "a shared package and an SDK",
			importer: module + "/internal/sdkerror",
			imports:  "github.com/aws/smithy-go",
			want:     "imports no provider and no SDK",
		},
		{
			name:     "a package for drivers and an SDK",
			importer: module + "/driver",
			imports:  "github.com/aws/smithy-go",
			want:     "imports no provider and no SDK",
		},
		{
			name:     "a part of s3server and another",
			importer: module + "/s3server/internal/policy",
			imports:  module + "/s3server/internal/tagging",
			want:     "",
		},
		{
			name:     "a part of s3server and the server",
			importer: module + "/s3server/internal/policy",
			imports:  module + "/s3server",
			want:     "knows neither",
		},
		{name: "a part of s3server and a store", importer: module + "/s3server/internal/policy", imports: module, want: "knows neither"},
		{
			name:     "the way of a request and the root",
			importer: module + "/s3server/internal/operations",
			imports:  module,
			want:     "",
		},
		{
			name:     "the way of a request and a store",
			importer: module + "/s3server/internal/operations",
			imports:  module + "/s3server/internal/driverstore",
			want:     "knows neither the server nor what is behind state.Store",
		},
		{name: "a store of s3server and the root", importer: module + "/s3server/internal/memory", imports: module, want: ""},
		{
			name:     "a store of s3server and a driver",
			importer: module + "/s3server/internal/memory",
			imports:  module + "/memstore",
			want:     "takes a driver from its caller",
		},
		{
			name:     "a module beside this one and an internal package",
			importer: module + "/layers/encrypt",
			imports:  module + "/internal/argument",
			want:     "imports none of its internal",
		},
		{
			name:     "a module beside this one and its own internal package",
			importer: module + "/layers/encrypt",
			imports:  module + "/layers/encrypt/internal/kms",
			want:     "",
		},
		{name: "an adapter and the root", importer: module + "/adapters/tus", imports: module, want: ""},
		{name: "a package with a similar name", importer: module + "/memstorefront", imports: "cloud.google.com/go/storage", want: ""},
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
	packages, err := packagesOf(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	require.Empty(t, check(packages))
}

// Their imports are checked, too: a rule that covers a module finds nothing if the module is not listed.
func TestModulesBesideAreListed(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", ".."))

	dirs, err := modulesBeside()
	require.NoError(t, err)
	require.Subset(t, dirs, []string{"adapters/tus", "layers/encrypt", "plugins/velero"})
	for _, dir := range dirs {
		require.True(t, beside(dir), dir)
	}
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
