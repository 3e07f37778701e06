// Package driverfiles compares the files of the drivers: one subject has one name in all of them, so
// that a reader of one driver finds the same thing in another.
package driverfiles

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shared has the names of files that several drivers have. Each is the name of a subject.
var shared = strings.Fields(`
	driver config open account address credentials vended endpoint
	errors errorcodes evidence
	put get list delete copy copyparts compose parts openuploads versions tags lock restore softdelete
	attrs body headers metadata
	sign form vend native customerkey
	service bucketinfo cors lifecycle
	origin private sweepuploads
`)

// own maps each driver to the names of those files that no other driver has.
var own = map[string]string{
	"memstore":        "bucket index object token",
	"providers/local": "trash",
	"providers/s3":    "addressing encryption httpclient objectapi probed profile profiles regions vendprobe",
	"providers/gcs":   "addition composite folder generation iam media repeat request signer signer_iam signer_key sigv4",
	"providers/azure": "batch chain components components_remove components_stream connection container " +
		"delegation named options order sas",
}

// methods has the file of each method of a driver.Driver or driver.ServiceDriver.
var methods = map[string]string{
	"Describe": "driver", "Locate": "driver", "Native": "driver",
	"Put": "put", "Get": "get", "Head": "get", "List": "list", "Delete": "delete", "DeleteBatch": "delete",
	"Copy": "copy", "Move": "copy", "Compose": "compose",
	"BeginParts": "parts", "PutPart": "parts", "CompleteParts": "parts", "AbortParts": "parts",
	"ListParts": "openuploads", "ListUploads": "openuploads", "ListVersions": "versions",
	"Tags": "tags", "SetTags": "tags", "SetRetention": "lock", "SetLegalHold": "lock", "Restore": "restore",
	"Sign": "sign", "SignPart": "sign", "SignForm": "form",
	"Provider": "service", "Driver": "service", "CreateBucket": "service", "UpdateBucket": "service",
	"DeleteBucket": "service", "ListBuckets": "service", "Credentials": "service",
}

// A reader finds the same subject in the same file of each driver. So each method of a driver is in a file of one
// name in all drivers. A file that only one driver has is listed in the map named own.
func TestDriverFilesOfOneSubject(t *testing.T) {
	// The directory of a driver has files of a shared subject, and files of its own.
	for directory, names := range own {
		t.Run(directory, func(t *testing.T) {
			var special []string
			for _, file := range sources(t, directory) {
				name := strings.TrimSuffix(filepath.Base(file), ".go")
				if !slices.Contains(shared, name) {
					special = append(special, name)
				}
				for _, method := range methodsIn(t, file) {
					if home, ok := methods[method]; ok {
						require.Equal(t, home, name, "the file of %s", method)
					}
				}
			}
			require.Equal(t, strings.Fields(names), special,
				"add a new file to own, or to shared if another driver has its subject")
		})
	}
}

// No file name is in the map named own for two drivers.
func TestDriverFilesAreShared(t *testing.T) {
	directories := map[string]string{}
	for directory, names := range own {
		for _, name := range strings.Fields(names) {
			require.Empty(t, directories[name], "%s has %s, too", directory, name)
			directories[name] = directory
		}
	}
}

// sources returns the files of a directory that are no tests, by their names.
func sources(t *testing.T, directory string) (files []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("..", "..", "..", directory, "*.go"))
	require.NoError(t, err)
	for _, file := range all {
		if !strings.HasSuffix(file, "_test.go") {
			files = append(files, file)
		}
	}
	require.NotEmpty(t, files)
	return files
}

// methodsIn returns the names of the methods of drivers in a file.
func methodsIn(t *testing.T, file string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, declared := range parsed.Decls {
		function, ok := declared.(*ast.FuncDecl)
		if !ok || function.Recv == nil {
			continue
		}
		pointer, ok := function.Recv.List[0].Type.(*ast.StarExpr)
		if !ok {
			continue
		}
		receiver, ok := pointer.X.(*ast.Ident)
		if !ok {
			continue
		}
		if receiver.Name == "driver" || receiver.Name == "serviceDriver" {
			names = append(names, function.Name.Name)
		}
	}
	return names
}
