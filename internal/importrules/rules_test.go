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
		want                    string // part of the complaint; "": none
	}{
		{"the root and the standard library", module, "crypto/x509", ""},
		{"the root and what the standard library vendors", module, "vendor/golang.org/x/net/idna", ""},
		{"the root and telemetry", module, "go.opentelemetry.io/otel/trace", ""},
		{"the root and an SDK", module, "github.com/aws/aws-sdk-go-v2/service/s3", "the root imports"},
		{"the root and the ordered map", module, "github.com/tidwall/btree", "the root imports"},
		{"the root and testing", module, "testing", "ships"},
		{"memstore and the ordered map", module + "/memstore", "github.com/tidwall/btree", ""},
		{"memstore and an SDK", module + "/memstore", "cloud.google.com/go/storage", "memstore adds"},
		{"memstore and a provider", module + "/memstore", module + "/providers/local", "memstore adds"},
		{"a provider and its SDK", module + "/providers/s3", "github.com/aws/aws-sdk-go-v2/aws", ""},
		{"a provider and its own inside", module + "/providers/s3", module + "/providers/s3/profile", ""},
		{"a provider and another", module + "/providers/s3", module + "/providers/s3compat", "no other provider"},
		{"a provider and memory", module + "/providers/local", module + "/memstore", "no other provider"},
		{"a provider and a job", module + "/providers/local", module + "/serve", "knows no jobs"},
		{"a job and a provider", module + "/serve", module + "/providers/local", "jobs never know"},
		{"a job and the root", module + "/serve", module, ""},
		{"an example and a provider", module + "/examples/quickstart", module + "/providers/local", ""},
		{"an example and the suite", module + "/examples/quickstart", module + "/storagetest", "for tests alone"},
		{"staging and the fault layer", module + "/examples/quickstart", module + "/storagetest/faults", ""},
		{"the suite and testing", module + "/storagetest", "testing", ""},
		{"the fault layer and testing", module + "/storagetest/faults", "testing", "ships"},
		{"a provider and what tests share", module + "/providers/s3", module + "/internal/wiretest", "wiretest is for tests alone"},
		{"what tests share and testing", module + "/internal/wiretest", "testing", ""},
		{"what providers share and the root", module + "/internal/sdkerror", module, ""},
		{"what providers share and a provider", module + "/internal/address", module + "/providers/s3", "knows none of them"},
		{"what providers share and an SDK", module + "/internal/sdkerror", "github.com/aws/smithy-go", "knows none of them"},
		{"what drivers outside share and an SDK", module + "/httpdriver", "github.com/aws/smithy-go", "knows none of them"},
		{"whoever is named alike", module + "/memstorefront", "cloud.google.com/go/storage", ""},
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
	broken, err := run(module + "/...")
	require.NoError(t, err)
	require.Empty(t, broken)
}

// Whatever go.mod requires, version selection brings into the programs of users: a
// test's database driver would replace the one that they have chosen.
func TestTheModuleRequiresNoDatabaseDriver(t *testing.T) {
	requirements, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	require.NoError(t, err)
	for _, driver := range []string{"modernc.org/", "github.com/jackc/", "sqlite", "github.com/lib/pq", "github.com/go-sql-driver/"} {
		require.NotContains(t, string(requirements), driver)
	}
}
