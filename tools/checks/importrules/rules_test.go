package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// An import that a rule forbids is a violation, and an import that all rules permit is none.
//
// Here, the root is the package of the API. A machine is an internal package of the engine that does not know the API.
// A job is a package that does a whole task with the API, such as serve.
func TestRules(t *testing.T) {
	permitted := []struct {
		name     string
		importer string
		imported string
	}{
		{name: "the root and the standard library", importer: module, imported: "crypto/x509"},
		{
			name:     "the root and a package that the standard library vendors",
			importer: module,
			imported: "vendor/golang.org/x/net/idna",
		},
		{name: "the root and telemetry", importer: module, imported: "go.opentelemetry.io/otel/trace"},
		{
			name:     "a machine and the standard library",
			importer: module + "/engine/internal/pace",
			imported: "sync/atomic",
		},
		{
			name:     "a machine and another internal package",
			importer: module + "/engine/internal/pace",
			imported: module + "/internal/running",
		},
		{
			name:     "the machine of telemetry and telemetry",
			importer: module + "/engine/internal/telemetry",
			imported: "go.opentelemetry.io/otel/trace",
		},
		{
			name:     "the engine and a part of the core",
			importer: module + "/engine",
			imported: module + "/internal/core/buffer",
		},
		{name: "memstore and the ordered map", importer: module + "/memstore", imported: "github.com/tidwall/btree"},
		{
			name:     "a provider and its SDK",
			importer: module + "/providers/s3",
			imported: "github.com/aws/aws-sdk-go-v2/aws",
		},
		{
			name:     "a provider and its own subpackage",
			importer: module + "/providers/s3",
			imported: module + "/providers/s3/profile",
		},
		{
			name:     "a provider and what providers share",
			importer: module + "/providers/s3",
			imported: module + "/providers/internal/address",
		},
		{name: "a job and the root", importer: module + "/serve", imported: module},
		{
			name:     "an example and a provider",
			importer: module + "/examples/quickstart",
			imported: module + "/providers/local",
		},
		{
			name:     "the program that runs the suite",
			importer: module + "/cmd/certify",
			imported: module + "/storagetest",
		},
		{
			name:     "staging and the fault layer",
			importer: module + "/examples/quickstart",
			imported: module + "/storagetest/faults",
		},
		{name: "the suite and testing", importer: module + "/storagetest", imported: "testing"},
		{
			name:     "a package for tests and another",
			importer: module + "/internal/testing/wiretest",
			imported: module + "/internal/testing/testserver",
		},
		{
			name:     "a package for tests and testing",
			importer: module + "/internal/testing/wiretest",
			imported: "testing",
		},
		{name: "a shared package and the root", importer: module + "/internal/sdkerror", imported: module},
		{
			name:     "a part of s3server and another",
			importer: module + "/s3server/internal/policy",
			imported: module + "/s3server/internal/tagging",
		},
		{
			name:     "the requests of s3server and the root",
			importer: module + "/s3server/internal/operations",
			imported: module,
		},
		{name: "a store of s3server and the root", importer: module + "/s3server/internal/memory", imported: module},
		{
			name:     "a module beside this one and its own internal package",
			importer: module + "/layers/encrypt",
			imported: module + "/layers/encrypt/internal/kms",
		},
		{name: "an adapter and the root", importer: module + "/adapters/tus", imported: module},
		{
			name:     "a package with a similar name",
			importer: module + "/memstorefront",
			imported: "cloud.google.com/go/storage",
		},
	}
	for _, tt := range permitted {
		t.Run("permitted: "+tt.name, func(t *testing.T) {
			require.Empty(t, violations(tt.importer, tt.imported))
		})
	}

	forbidden := []struct {
		name     string
		importer string
		imported string
		want     string // part of the first message
	}{
		{
			name:     "the root and an SDK",
			importer: module,
			imported: "github.com/aws/aws-sdk-go-v2/service/s3",
			want:     "the root, driver and engine import",
		},
		{
			name:     "the root and the ordered map",
			importer: module,
			imported: "github.com/tidwall/btree",
			want:     "the root, driver and engine import",
		},
		{name: "the root and testing", importer: module, imported: "testing", want: "for testing"},
		{
			name:     "a machine and the API",
			importer: module + "/engine/internal/pace",
			imported: module,
			want:     "a machine of the engine",
		},
		{
			name:     "a machine and telemetry",
			importer: module + "/engine/internal/pace",
			imported: "go.opentelemetry.io/otel/trace",
			want:     "a machine of the engine",
		},
		{
			name:     "a job and a part of the core",
			importer: module + "/transfer",
			imported: module + "/internal/core/buffer",
			want:     "for the root and the engine",
		},
		{
			name:     "memstore and an SDK",
			importer: module + "/memstore",
			imported: "cloud.google.com/go/storage",
			want:     "memstore adds",
		},
		{
			name:     "memstore and a provider",
			importer: module + "/memstore",
			imported: module + "/providers/local",
			want:     "memstore adds",
		},
		{
			name:     "a provider and another",
			importer: module + "/providers/s3",
			imported: module + "/providers/s3compat",
			want:     "no other provider",
		},
		{
			name:     "a provider and memory",
			importer: module + "/providers/local",
			imported: module + "/memstore",
			want:     "no other provider",
		},
		{
			name:     "a provider and a job",
			importer: module + "/providers/local",
			imported: module + "/serve",
			want:     "imports no job",
		},
		{
			name:     "a job and a provider",
			importer: module + "/serve",
			imported: module + "/providers/local",
			want:     "a job or layer imports no provider",
		},
		{
			name:     "an example and the suite",
			importer: module + "/examples/quickstart",
			imported: module + "/storagetest",
			want:     "only for tests",
		},
		{
			name:     "the fault layer and testing",
			importer: module + "/storagetest/faults",
			imported: "testing",
			want:     "for testing",
		},
		{
			name:     "a provider and a package for tests",
			importer: module + "/providers/s3",
			imported: module + "/internal/testing/wiretest",
			want:     "internal/testing is only for tests",
		},
		{
			name:     "a provider and a package for tests of providers",
			importer: module + "/providers/s3",
			imported: module + "/providers/internal/testing/killtest",
			want:     "internal/testing is only for tests",
		},
		{
			name:     "a job and a server for tests",
			importer: module + "/transfer",
			imported: module + "/internal/testing/wiretest",
			want:     "internal/testing is only for tests",
		},
		{
			name:     "a shared package and a provider",
			importer: module + "/providers/internal/address",
			imported: module + "/providers/s3",
			want:     "imports no provider and no SDK",
		},
		{
			name:     "a shared package and an SDK",
			importer: module + "/internal/sdkerror",
			imported: "github.com/aws/smithy-go",
			want:     "imports no provider and no SDK",
		},
		{
			name:     "a package for drivers and an SDK",
			importer: module + "/driver",
			imported: "github.com/aws/smithy-go",
			want:     "imports no provider and no SDK",
		},
		{
			name:     "a part of s3server and the server",
			importer: module + "/s3server/internal/policy",
			imported: module + "/s3server",
			want:     "knows neither",
		},
		{
			name:     "a part of s3server and a store",
			importer: module + "/s3server/internal/policy",
			imported: module,
			want:     "knows neither",
		},
		{
			name:     "the requests of s3server and a store",
			importer: module + "/s3server/internal/operations",
			imported: module + "/s3server/internal/driverstore",
			want:     "knows neither the server nor what is behind state.Store",
		},
		{
			name:     "a store of s3server and a driver",
			importer: module + "/s3server/internal/memory",
			imported: module + "/memstore",
			want:     "takes a driver from its caller",
		},
		{
			name:     "a module beside this one and an internal package",
			importer: module + "/layers/encrypt",
			imported: module + "/internal/argument",
			want:     "imports none of its internal",
		},
	}
	for _, tt := range forbidden {
		t.Run("forbidden: "+tt.name, func(t *testing.T) {
			got := violations(tt.importer, tt.imported)
			require.NotEmpty(t, got)
			require.Contains(t, got[0], tt.want)
		})
	}
}

// violations returns the messages about a package that imports one other package.
func violations(importer, imported string) []string {
	return check([]pkg{{ImportPath: importer, Imports: []string{imported}, Deps: []string{imported}}})
}

// The packages of this module keep the rules.
func TestThisModule(t *testing.T) {
	packages, err := packagesOf(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	require.Empty(t, check(packages))
}

// The modules in folders of this repository are listed. If a module were not listed, no rule would be checked there.
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
	for _, driver := range []string{
		"modernc.org/",
		"github.com/jackc/",
		"sqlite",
		"github.com/lib/pq",
		"github.com/go-sql-driver/",
	} {
		require.NotContains(t, string(requirements), driver)
	}
}
