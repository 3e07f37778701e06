package testserver

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Some calls skip a test although every server and program is required. skipped has these calls, grouped by the reason
// why "make test-all" accepts them.
var skipped = map[string][]string{
	"not if all servers and programs are required": {
		"internal/testing/testserver/testserver.go: why",
		"internal/testing/testserver/testserver.go: `it repeats other tests in another setting, or takes long: \"make test-all\" runs it, as does: %s=1 go test -C %s .`",
	},
	"another command of the Makefile runs it": {
		"internal/testing/testserver/testserver.go: `it takes seconds: \"make test\" runs it`", // only with -short
		"internal/testing/testserver/testserver.go: \"it takes minutes: %q runs it, and CI does each night\"",
		`adapters/tus/e2e_test.go: "OMNIBUCKET_TUSD_E2E is not set: make tusd builds tusd's command, which takes minutes"`,
		`adapters/tus/resumable_e2e_test.go: "OMNIBUCKET_TUSD_E2E is not set: the test measures times"`,
		`adapters/rclone/rclone_test.go: "OMNIBUCKET_REAL_SERVERS is not set: make adapters has SFTP by rclone's own server, too"`,
		`adapters/rclone/realservers_test.go: "OMNIBUCKET_REAL_SERVERS is not set: make adapters installs OpenSSH, Apache and ProFTPD, and needs root"`,
		`tools/examples/ports/ports_test.go: "OMNIBUCKET_PORTS is not set: make adapters builds restic and kopia, which takes minutes"`,
		`tools/release/images_linux_test.go: "OMNIBUCKET_IMAGES is not set: make image builds the images, and needs root"`,
		`tools/release/readme_test.go: "OMNIBUCKET_PAGES is not set: make install-check sets it"`,
		`tools/release/snapshot_test.go: variable + " is not set: make snapshot makes what a release has"`,
		`internal/testing/powercut/powercut_linux_test.go: reason`, // .ci/run does not let it skip as root
		`providers/azure/hostile_test.go: "make statuses runs it"`,
		`providers/local/errors_test.go: "OMNIBUCKET_LOCAL_TEST_DISK is not set"`,
	},
	"it writes files for a new release": {
		`internal/testing/storedforms/generate_test.go: "OMNIBUCKET_STORED_FORMS is not set"`,
		`tools/databases/generateforms_test.go: "OMNIBUCKET_STORED_FORMS is not set"`,
		`layers/encrypt/storedforms_test.go: "OMNIBUCKET_STORED_FORMS is not set"`,
	},
	"an earlier version that lacks something": {
		`internal/testing/storedforms/read_test.go: reason`,
	},
	"another system or disk": {
		`internal/testing/storedforms/read_files_test.go: "files have no numbers here"`,
		`providers/local/laterattrs_linux_test.go: "this disk has no extended attributes"`,
		`s3server/cmd/s3server/action_test.go: "make is missing"`,
		`cmd/certify/certify_test.go: "a process cannot interrupt another"`,
		`cmd/omnibucket/arguments_test.go: err`,
		`cmd/omnibucket/cp_file_test.go: "this system has no such file"`,
		`cmd/omnibucket/main_test.go: "this system has no /dev/full"`,
		`cmd/omnibucket/mv_test.go: err`,
		`cmd/omnibucket/names_test.go: err`,
		`layers/diskcache/diskcache_test.go: "Windows: files have no such modes"`,
		`s3server/kill_test.go: "descriptors are limited on Linux"`,
		`internal/transport/connections_test.go: "the system has no such limit"`,
		`providers/local/openfiles_test.go: "the system has no such limit"`,
		`providers/local/errors_test.go: "this disk does not fold case"`,
		`providers/local/excluded_windows_test.go: "Windows: " + reason`,
		`providers/local/excluded_windows_test.go: "Wine: " + reason`,
		`providers/local/internal/osdir/osdir_test.go: "an open directory cannot be moved here:"`,
		`providers/local/internal/osdir/osdir_test.go: "an open directory cannot be removed here:"`,
		`providers/local/internal/osdir/osdir_test.go: err`,
		`providers/local/internal/osdir/osdir_test.go: err`,
		`providers/local/sweepleaves_test.go: "Windows: modes forbid nothing"`,
		`transfer/tree_other_test.go: "this system has no pipes in directories, nor most of the names that these trees have"`,
	},
	"only root can": {
		`internal/testing/bindmount/bindmount_linux.go: "only root may mount a directory"`,
		`layers/encrypt/owner_unix_test.go: "only root can give a file away"`,
		`layers/diskcache/owner_unix_test.go: "only root can give a directory away"`,
		`providers/local/fulldisk_linux_test.go: "only root may mount a file system that is small enough to be filled"`,
		`providers/local/fulldisk_linux_test.go: "root may not mount here"`,
		`providers/local/mode_test.go: "only root can give a file to another user"`,
		`s3server/fulldisk_linux_test.go: "only root may mount a small disk"`,
	},
	"-short": {
		`internal/keysort/keysort_test.go: "sorts many records"`,
		`providers/local/list_test.go: "it makes many files"`,
		`storagetest/broken_test.go: "runs the suite in processes of their own"`,
	},
	"the same test runs in another process": {
		`s3server/fulldisk_linux_test.go: "it starts its own directory"`,
		`s3server/fulldisk_linux_test.go: "it starts its own directory"`,
		`s3server/stores_test.go: "this process is the other one"`,
	},
	"an input that a fuzz target has no use for": {
		`engine/key_test.go: "no object has such a size"`,
		`internal/metadata/value_test.go: "refused before it is encoded"`,
		`serve/rangefuzz_test.go: "differs on purpose"`,
	},
	"a store that lacks something, or is known to be wrong": {
		`adapters/gocloud/gocloud_test.go: "the library refuses it"`,
		`effects_test.go: err`, // the store has no open uploads
		`effects_test.go: err`,
		`storagetest/page.go: "the driver lists only one folder at a time"`,
		`storagetest/hostile/hostile.go: "the store has no such operation"`,
		`storagetest/hostile/hostile.go: reason`,
		`storagetest/vendedtest/attacks.go: "these credentials have none"`,
		`storagetest/vendedtest/vendedtest.go: reason`,
		`uploads/replacedpart_test.go: "fake-gcs-server joins a part of another generation than the one that is named; " + "TestCompletePartsReplacedPart of providers/gcs has the rule"`,
	},
}

const root = "../../.."

// Each call of Skip in the repository's tests is listed in skipped. For a missing server or
// program, tests call Need, Offered or Program instead.
func TestSkipsAreListed(t *testing.T) {
	var want []string
	for _, listed := range skipped {
		want = append(want, listed...)
	}

	// Find all calls, each as the path of its file and its reason.
	var calls []string
	for path, file := range testFiles(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isSkip(t, call) {
				return true
			}
			reason := ""
			if len(call.Args) > 0 {
				reason = source(t, call.Args[0])
			}
			calls = append(calls, path+": "+reason)
			return true
		})
	}

	require.ElementsMatch(t, want, calls,
		"add the call to the table, with the reason why a run with all servers and programs may skip the test; "+
			"for want of one, call Need, Offered or Program")
}

// isSkip reports whether a call is one of t.Skip, t.Skipf or t.SkipNow.
func isSkip(t *testing.T, call *ast.CallExpr) bool {
	t.Helper()
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || source(t, method.X) == "storagetest" {
		return false
	}
	return slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, method.Sel.Name)
}

// Only this package reads the addresses of servers from the environment, because a missing address
// must be reported.
func TestAddressesAreReadHereOnly(t *testing.T) {
	for path, file := range testFiles(t) {
		if strings.HasPrefix(path, "internal/testing/testserver/") || strings.HasPrefix(path, "dev/") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if slices.Contains([]string{"os.Getenv", "os.LookupEnv"}, source(t, call.Fun)) {
				variable := source(t, call.Args[0])
				require.False(t, isAddress(variable), "%s reads %s: call testserver.Need", path, variable)
			}
			return true
		})
	}
}

// isAddress reports whether an expression is a variable with the address of a server. The variables with the
// credentials of a server have a further "_". They are set if the address is set.
func isAddress(expression string) bool {
	name, ok := strings.CutPrefix(expression, `"OMNIBUCKET_TEST_`)
	if !ok {
		return false
	}
	name = strings.TrimPrefix(strings.TrimSuffix(name, `"`), "MINIO_TLS")
	return name != "HUGE" && !strings.Contains(name, "_")
}

// testFiles returns the syntax of all files of tests, and of packages for tests.
func testFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != root && isSkippedFolder(entry) {
			return fs.SkipDir
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if !isForTests(name) {
			return nil
		}
		files[name], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// isSkippedFolder reports whether an entry is a folder whose files are not read.
func isSkippedFolder(entry fs.DirEntry) bool {
	if !entry.IsDir() {
		return false
	}
	name := entry.Name()
	return name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".")
}

// isForTests reports whether a file is a test, or belongs to a package for tests.
func isForTests(name string) bool {
	if !strings.HasSuffix(name, ".go") {
		return false
	}
	return strings.HasSuffix(name, "_test.go") ||
		strings.HasPrefix(name, "internal/testing/") ||
		strings.HasPrefix(name, "storagetest/")
}

// source returns the text of an expression.
func source(t *testing.T, n ast.Node) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, printer.Fprint(&text, token.NewFileSet(), n))
	return text.String()
}
