package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the expected output of testdata")

// programs is a module with the packages of testdata.
var programs string

// TestMain runs the tests with a module of programs to analyze, and removes it afterwards.
func TestMain(m *testing.M) {
	flag.Parse()
	status, err := runTests(m)
	if err != nil {
		panic(err)
	}
	os.Exit(status)
}

// runTests makes the module programs, runs the tests, and removes the module.
func runTests(m *testing.M) (status int, err error) {
	dir, err := os.MkdirTemp("", "permissions-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)

	programs, err = filepath.EvalSymlinks(dir)
	if err != nil {
		return 0, err
	}
	if err := os.CopyFS(programs, os.DirFS("testdata")); err != nil {
		return 0, err
	}
	if err := writeModule(programs); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// writeModule makes a directory a Go module. Its go.mod requires the library of this repository and
// the modules that the library requires.
func writeModule(dir string) error {
	library, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(library, "go.mod"))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(library, "go.sum"))
	if err != nil {
		return err
	}

	text := strings.Replace(string(mod),
		"module github.com/omnibucket/storage\n", "module example.com/programs\n", 1)
	text += "\nrequire github.com/omnibucket/storage v0.0.0\n"
	text += "\nreplace github.com/omnibucket/storage => " + strconv.Quote(library) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600)
}

// analyze runs the command in the module of testdata.
func analyze(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return analyzeIn(t, programs, args...)
}

// analyzeIn runs the command in a module. No output may have the path of the module.
func analyzeIn(t *testing.T, dir string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errOut bytes.Buffer
	status = run(append([]string{"-C", dir}, args...), &out, &errOut)
	require.NotContains(t, out.String(), dir)
	require.NotContains(t, errOut.String(), dir)
	return out.String(), errOut.String(), status
}

// requireGolden requires that a file has the text got. If the flag -update is set, it first writes
// the text to the file.
func requireGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// For each program in testdata/programs, the analyzer prints the permissions in its want.txt.
func TestPrograms(t *testing.T) {
	stdout, stderr, status := analyze(t, "./programs/...")
	require.Zero(t, status, stderr)

	// A second run prints the same.
	stdoutAgain, _, _ := analyze(t, "./programs/...")
	require.Equal(t, stdout, stdoutAgain)

	// The output has a section for each program. A section begins with a line "programs/NAME".
	sections := map[string]string{}
	for section := range strings.SplitSeq("\n"+stdout, "\nprograms/") {
		name, permissions, _ := strings.Cut(section, "\n")
		sections[name] = strings.TrimSuffix(permissions, "\n") + "\n"
	}

	folders, err := os.ReadDir(filepath.Join("testdata", "programs"))
	require.NoError(t, err)
	for _, folder := range folders {
		t.Run(folder.Name(), func(t *testing.T) {
			want := filepath.Join("testdata", "programs", folder.Name(), "want.txt")
			requireGolden(t, want, sections[folder.Name()])
		})
	}
}

// For a library, the analyzer reports the permissions that a program needs to call its exported functions.
func TestProgramsOfALibrary(t *testing.T) {
	stdout, stderr, status := analyze(t, "./library")
	require.Zero(t, status, stderr)
	requireGolden(t, filepath.Join("testdata", "library", "want.txt"), stdout)
}

// -tags selects the files of the program.
func TestBuildTagsSelectFiles(t *testing.T) {
	stdout, stderr, status := analyze(t, "-tags", "extra", "./programs/tagged")
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "remove ")
	require.NotContains(t, stdout, "download")
}

// The analyzer ends with an error and no output if an argument is bad or a program cannot be
// analyzed.
func TestErrors(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{
			name: "a program that does not compile",
			args: []string{"./broken"},
			want: "undefined: storage.Missing",
		},
		{name: "no such package", args: []string{"./missing"}, want: "missing"},
		{
			name: "a program without the library",
			args: []string{"./without"},
			want: "imports github.com/omnibucket/storage",
		},
		{
			name: "no such provider",
			args: []string{"-policy", "ibm", "./programs/refs"},
			want: "-policy must be one of",
		},
		{
			name: "an address that is none",
			args: []string{"-bucket", "x", "./programs/refs"},
			want: "must be the name of an unknown bucket",
		},
		{
			name: "no such file",
			args: []string{"-check", "missing.txt", "./programs/refs"},
			want: "missing.txt",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, status := analyze(t, tt.args...)
			require.Equal(t, statusError, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, tt.want)
		})
	}
}

// -policy prints a policy for each provider, and names what no policy covers.
func TestPolicies(t *testing.T) {
	tests := []struct{ provider, scheme string }{
		{provider: "aws", scheme: "s3"},
		{provider: "minio", scheme: "s3"},
		{provider: "google", scheme: "gs"},
		{provider: "azure", scheme: "azblob"},
	}
	for _, tt := range tests {
		t.Run(tt.provider, func(t *testing.T) {
			// One call in the program opens a location whose address is not in its code. -bucket
			// names the address.
			bucket := "locations.Open in main.main=" + tt.scheme + "://photos?prefix=users/"
			stdout, stderr, status := analyze(t, "-policy", tt.provider, "-bucket", bucket, "./programs/named")

			// The location "photos" is unknown, because the analyzer does not have the
			// configuration of the program.
			require.Equal(t, statusFound, status)
			require.Contains(t, stderr, "no policy has download on location photos")
			requireGolden(t, filepath.Join("testdata", "policy-"+tt.provider+".txt"), stdout)
		})
	}
}

// For the programs of internal/testing/policies, -policy prints the policies in the testdata of that package. A test
// there runs the programs with these policies.
func TestPoliciesOfPrograms(t *testing.T) {
	// Each call of Open has a bucket of its own.
	buckets := map[string]string{
		"storage.Open in policies.Avatar":      "avatar-pictures",
		"storage.Open in policies.Backup":      "backup-backups",
		"storage.Open in policies.Lister":      "lister-logs",
		"storage.Open in policies.Mirror":      "mirror-source",
		"storage.Open 2 in policies.Mirror":    "mirror-mirror",
		"storage.Open in policies.Migration":   "migration-source",
		"storage.Open 2 in policies.Migration": "migration-target",
	}
	for _, provider := range []string{"aws", "minio"} {
		t.Run(provider, func(t *testing.T) {
			args := []string{"-policy", provider}
			for name, bucket := range buckets {
				args = append(args, "-bucket", name+"=s3://policies-"+bucket)
			}
			library := filepath.Join("..", "..")
			args = append(args, "./internal/testing/policies/...")
			stdout, stderr, status := analyzeIn(t, library, args...)
			require.Zero(t, status, stderr)

			testdata := filepath.Join(library, "internal", "testing", "policies", "testdata")
			requireGolden(t, filepath.Join(testdata, provider+".txt"), stdout)
		})
	}
}

// -policy reports a permission that no policy can grant, and exits with status 1.
func TestPolicyTellsWhatItLeavesOut(t *testing.T) {
	stdout, stderr, status := analyze(t, "-policy", "aws", "./programs/unknown")
	require.Equal(t, statusFound, status)
	require.NotContains(t, stdout, "native")
	require.Contains(t, stderr, "programs/unknown/main.go:33: no policy has anything on s3://native")
	require.Contains(t, stderr, "no policy has remove on unknown bucket: Value in main.main")
}

// -mermaid prints a diagram of programs and buckets.
func TestMermaidHasProgramsAndBuckets(t *testing.T) {
	stdout, stderr, status := analyze(t, "-mermaid", "./programs/refs", "./programs/copies",
		"./programs/named")
	require.Zero(t, status, stderr)
	requireGolden(t, filepath.Join("testdata", "mermaid.txt"), stdout)
}

// If a program needs a permission that its file does not allow, -check reports the place and fails.
func TestCheckFindsFurtherPermissions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "permissions.txt")
	_, stderr, status := analyze(t, "-write", file, "./programs/tagged")
	require.Zero(t, status, stderr)

	// The program needs only what the file allows.
	stdout, stderr, status := analyze(t, "-check", file, "./programs/tagged")
	require.Zero(t, status, stderr)
	require.Empty(t, stdout)

	// With another build tag, the program also removes objects.
	stdout, stderr, status = analyze(t, "-check", file, "-tags", "extra", "./programs/tagged")
	require.Equal(t, statusFound, status, stderr)
	require.Equal(
		t,
		"programs/tagged/more.go:11: "+file+" does not allow programs/tagged remove on s3://photos\n",
		stdout,
	)
}

// -check reports a bucket that the analyzer cannot name, unless the file allows an unknown bucket.
func TestCheckUnknownBuckets(t *testing.T) {
	// The file allows what the program does at its location "photos".
	file := filepath.Join(t.TempDir(), "permissions.txt")
	photos := "programs/named\n  location photos\n    download\n    download-missing\n"
	require.NoError(t, os.WriteFile(file, []byte(photos), 0o600))

	// The program uses "photos" in line 27, and a location that its user names in line 29.
	stdout, stderr, status := analyze(t, "-check", file, "./programs/named")
	require.Equal(t, statusFound, status, stderr)
	require.Contains(t, stdout, "programs/named/main.go:29: ")
	require.NotContains(t, stdout, "main.go:27")

	// The file allows the unknown location, too.
	unknown := "  unknown bucket: locations.Open in main.main\n    download\n    download-missing\n"
	require.NoError(t, os.WriteFile(file, []byte(photos+unknown), 0o600))
	stdout, _, status = analyze(t, "-check", file, "./programs/named")
	require.Zero(t, status, stdout)
}

// The analyzer fails with an error if the file of -check is malformed.
func TestCheckFileIsWrong(t *testing.T) {
	for name, text := range map[string]string{
		"an operation without a bucket": "program\n    download\n",
		"a bucket without a program":    "  s3://photos\n",
		"three spaces":                  "program\n   s3://photos\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "permissions.txt")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, stderr, status := analyze(t, "-check", file, "./programs/refs")
			require.Equal(t, statusError, status)
			require.Contains(t, stderr, "a program has 0 spaces before it")
		})
	}
}

// A program whose modules are vendored has the same permissions.
func TestVendoredModules(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, writeModule(dir))
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "programs", "layers"))))
	for _, args := range [][]string{{"mod", "tidy"}, {"mod", "vendor"}} {
		command := exec.Command("go", args...)
		command.Dir = dir
		output, err := command.CombinedOutput()
		require.NoError(t, err, string(output))
	}

	stdout, stderr, status := analyzeIn(t, dir, ".")
	require.Zero(t, status, stderr)

	// In this module, the program is in the root and not in programs/layers.
	want, err := os.ReadFile(filepath.Join("testdata", "programs", "layers", "want.txt"))
	require.NoError(t, err)
	require.Equal(t, "programs\n"+strings.ReplaceAll(string(want), "programs/layers/main.go", "main.go"),
		stdout)
}

// A note names an operation that MinIO lacks and the program can do without. Any other operation
// that MinIO lacks is an error.
func TestPoliciesLeaveOutWhatTheProviderLacks(t *testing.T) {
	stdout, stderr, status := analyze(t, "-policy", "minio", "./programs/deletes")
	require.Equal(t, statusError, status, stderr)

	require.Contains(t, stderr,
		"note: minio lacks remove-if-revision, and the program on s3://mirrored does without\n")
	require.Contains(t, stderr, "s3://no: ")
	require.Contains(t, stderr, "no policy has list on s3://photos/users/\n")

	require.Contains(t, stdout, "policy of s3://mirrored.")
	require.Contains(t, stdout, "policy of s3://photos/users/.")
	require.NotContains(t, stdout, "DeleteObjectVersion")
}
