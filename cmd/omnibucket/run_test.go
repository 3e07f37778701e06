package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// asProgram in the environment makes the test binary the program.
const asProgram = "OMNIBUCKET_TEST_AS_PROGRAM"

// TestMain runs the program if the environment asks for it, and the tests otherwise.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// A shell runs the program like a real shell.
type shell struct {
	t     *testing.T
	env   map[string]string // variables
	stdin string            // standard input of each command
}

// newShell returns a shell without a configuration file.
func newShell(t *testing.T) *shell {
	return &shell{t: t, env: map[string]string{
		"XDG_CONFIG_HOME": filepath.Join(os.TempDir(), "omnibucket-none"),
		"XDG_CACHE_HOME":  t.TempDir(),
	}}
}

// These are the exit codes that the help of the program documents.
const (
	exitOK           = 0
	exitFailure      = 1
	exitUsage        = 2
	exitNotFound     = 3
	exitPrecondition = 4
	exitInterrupted  = 130 // 128 and the number of SIGINT
	exitBrokenPipe   = 141 // 128 and the number of SIGPIPE
)

// setLocation makes the name of a location, such as "box:" in an argument, stand for this address.
func (s *shell) setLocation(name, address string) {
	s.env["OMNIBUCKET_"+strings.ToUpper(name)] = address
}

// addressOf returns the address for which the name of a location stands.
func (s *shell) addressOf(name string) string { return s.env["OMNIBUCKET_"+strings.ToUpper(name)] }

// addParameter adds a parameter, such as "profile=aws", to the address of a location.
func (s *shell) addParameter(name, parameter string) {
	s.setLocation(name, s.addressOf(name)+"&"+parameter)
}

// inSubtest returns a shell with the same variables for a subtest.
func (s *shell) inSubtest(t *testing.T) *shell {
	return &shell{t: t, env: s.env, stdin: s.stdin}
}

// environment returns an environment in which the program sees the variables of the shell.
func (s *shell) environment(stdin io.Reader, stdout, stderr io.Writer) program.Environment {
	return program.Environment{
		In:  stdin,
		Out: stdout,
		Err: stderr,
		Lookup: func(name string) (string, bool) {
			value, set := s.env[name]
			return value, set
		},
	}
}

// requireExit runs the program with these arguments, requires that it ends with this exit code, and returns what it prints.
func (s *shell) requireExit(code int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	got := run(s.t.Context(), args, s.environment(strings.NewReader(s.stdin), &out, &errs))
	require.Equal(s.t, code, got, "%q\nstdout: %s\nstderr: %s", args, out.String(), errs.String())
	return out.String(), errs.String()
}

// run runs the program with these arguments, and returns its standard output. The program must
// succeed. It must print neither errors nor notes, except the summary of a job.
func (s *shell) run(args ...string) string {
	s.t.Helper()
	stdout, stderr := s.requireExit(exitOK, args...)
	require.Empty(s.t, summaries.ReplaceAllString(stderr, ""), "%q", args)
	return stdout
}

var summaries = regexp.MustCompile(`(?m)^(\d+ (transferred|deleted)|(uploaded|downloaded|copied|moved|deleted) ).*\n`)

// put stores an object with this content.
func (s *shell) put(address, content string) {
	s.t.Helper()
	oldInput := s.stdin
	s.stdin = content
	s.run("cp", "-", address)
	s.stdin = oldInput
}

// putKeysAsContent stores an object under each of these keys of a location, such as "box:". The
// content of each object is its key.
func (s *shell) putKeysAsContent(location string, keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		s.put(location+key, key)
	}
}

// newMemoryAddress returns the address of a new bucket in memory, without a slash. The name of the
// bucket is that of the test, as far as the characters and the length of a bucket's name allow.
func newMemoryAddress(t *testing.T) string {
	t.Helper()
	const maxName = 60
	name := strings.ToLower(notInBucketName.ReplaceAllString(t.Name(), "-"))
	name = strings.Trim(name[max(0, len(name)-maxName):], "-")
	address := "mem://" + name
	// Remove the bucket, because the process may run this test again.
	t.Cleanup(func() {
		env := newShell(t).environment(nil, io.Discard, io.Discard)
		run(context.Background(), []string{"rb", "--force", address}, env)
	})
	return address
}

var notInBucketName = regexp.MustCompile(`[^A-Za-z0-9]`)

// newDirectoryAddress returns the address of a new directory as a bucket, without a key.
func newDirectoryAddress(t *testing.T) string {
	t.Helper()
	return "file://" + filepath.ToSlash(t.TempDir())
}

// writeFiles writes files into a directory. The keys of the map are their paths, with slashes.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// readFile returns the content of a file.
func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// Each kind of failure has an exit code and a message, and each message begins with the name of the program.
func TestExitCodes(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	s.put(bucket+"/a.txt", "a")

	tests := []struct {
		name     string
		args     []string
		wantExit int
		wantErr  string // on standard error
	}{
		{name: "a command that succeeds", args: []string{"ls", bucket}},
		{name: "no command, which prints help"},
		{name: "help", args: []string{"help", "cp"}},
		{name: "version", args: []string{"--version"}},
		{name: "completion", args: []string{"completion", "bash"}},
		{
			name:     "an unknown command",
			args:     []string{"copy"},
			wantExit: exitUsage,
			wantErr: "unknown command \"copy\" for \"omnibucket\"\n" +
				"hint: use cp -r, or cp for one file\nRun \"omnibucket --help\" for usage.\n",
		},
		{
			name:     "help about an unknown command",
			args:     []string{"help", "nothing"},
			wantExit: exitUsage,
			wantErr:  "must be a command",
		},
		{
			name:     "an unknown flag",
			args:     []string{"ls", "--fast", bucket},
			wantExit: exitUsage,
			wantErr:  "unknown flag: --fast",
		},
		{
			name:     "an invalid value of a flag",
			args:     []string{"ls", "--limit", "many", bucket},
			wantExit: exitUsage,
			wantErr:  "invalid argument",
		},
		{
			name:     "too few arguments",
			args:     []string{"cp", "a"},
			wantExit: exitUsage,
			wantErr:  "\nusage: omnibucket cp [flags] SOURCE... DESTINATION\nRun \"omnibucket cp --help\" for usage.\n",
		},
		{
			name:     "too many arguments",
			args:     []string{"mb", bucket, bucket},
			wantExit: exitUsage,
			wantErr:  "accepts 1 arg(s)",
		},
		{
			name:     "standard output in place of an address",
			args:     []string{"ls", "-"},
			wantExit: exitUsage,
			wantErr:  "location must be in a bucket",
		},
		{
			name:     "a path that does not exist",
			args:     []string{"ls", "photos"},
			wantExit: exitNotFound,
			wantErr:  "object not found",
		},
		{
			name:     "an unknown location",
			args:     []string{"ls", "my-photos:a"},
			wantExit: exitUsage,
			wantErr:  "OMNIBUCKET_MY_PHOTOS is not set",
		},
		{
			name:     "an unknown scheme",
			args:     []string{"ls", "ftp://host/a"},
			wantExit: exitUsage,
			wantErr:  `has scheme "ftp"`,
		},
		{
			name:     "an unknown parameter",
			args:     []string{"ls", bucket + "?speed=1"},
			wantExit: exitUsage,
			wantErr:  `has parameter "speed"`,
		},
		{
			name:     "a key that no store accepts",
			args:     []string{"cp", "-", bucket + "/a//b"},
			wantExit: exitUsage,
			wantErr:  `empty segment`,
		},
		{
			name:     "no such object",
			args:     []string{"cat", bucket + "/none"},
			wantExit: exitNotFound,
			wantErr:  "object not found",
		},
		{
			name:     "no such folder",
			args:     []string{"ls", bucket + "/none/"},
			wantExit: exitNotFound,
			wantErr:  "object not found",
		},
		{
			name:     "no such bucket",
			args:     []string{"ls", "file://" + filepath.ToSlash(dir) + "/none"},
			wantExit: exitNotFound,
			wantErr:  "bucket not found",
		},
		{
			name:     "an object that exists, against a condition",
			args:     []string{"cp", "--if-absent", "-", bucket + "/a.txt"},
			wantExit: exitPrecondition,
			wantErr:  "precondition failed",
		},
		{
			name:     "another revision than the required one",
			args:     []string{"rm", "--if-revision", "memory:0", bucket + "/a.txt"},
			wantExit: exitPrecondition,
			wantErr:  "precondition failed",
		},
		{
			name:     "a missing file",
			args:     []string{"cp", filepath.Join(dir, "none"), bucket + "/b"},
			wantExit: exitNotFound,
			wantErr:  "not found",
		},
		{
			name:     "a missing directory",
			args:     []string{"cp", "-r", filepath.Join(dir, "none") + "/", bucket},
			wantExit: exitNotFound,
			wantErr:  "not found",
		},
		{
			name:     "an unsupported operation",
			args:     []string{"sign", bucket + "/b"},
			wantExit: exitFailure,
			wantErr:  "unsupported",
		},
		{
			name:     "the first of several failures",
			args:     []string{"cat", bucket + "/none", bucket + "/a.txt", "nowhere"},
			wantExit: exitNotFound,
			wantErr:  "object not found",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(tt.wantExit, tt.args...)
			require.Contains(t, stderr, tt.wantErr)
			if tt.wantExit != exitOK {
				require.True(t, strings.HasPrefix(stderr, "omnibucket: "), stderr)
			}
		})
	}
}

// An interrupted command exits with code 130 and changes nothing.
func TestInterruptExitsWith130(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	s.put(bucket+"/a.txt", "a")
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()

	for _, args := range [][]string{
		{"ls", bucket},
		{"cat", bucket + "/a.txt"},
		{"cp", bucket + "/a.txt", filepath.Join(dir, "a.txt")},
		{"sync", bucket, dir},
		{"rm", "-r", "--all", bucket},
	} {
		t.Run(args[0], func(t *testing.T) {
			require.Equal(t, exitInterrupted, run(interrupted, args, s.environment(nil, io.Discard, io.Discard)))
		})
	}

	// No file was downloaded, and the object is still there.
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Equal(t, "a", s.run("cat", bucket+"/a.txt"))
}

// If an interrupt ends a command that reads typed input, nothing is stored.
func TestInterruptStoresNoTypedInput(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	ctx, cancel := context.WithCancel(t.Context())
	stdin, keyboard := io.Pipe()
	exit := make(chan int)
	go func() {
		exit <- run(ctx, []string{"cp", "-", bucket + "/a"}, s.environment(stdin, io.Discard, io.Discard))
	}()

	// The program still waits for input when the interrupt comes.
	_, err := io.WriteString(keyboard, "half")
	require.NoError(t, err)
	cancel()

	require.Equal(t, exitInterrupted, <-exit)
	require.NoError(t, keyboard.Close())
	s.requireExit(exitNotFound, "cat", bucket+"/a")
}

// A brokenPipe is a pipe whose reader has closed it.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: io.ErrClosedPipe}
}

// If the reader of the output closes its pipe, a command ends with code 141 and no message, and rm removes no more.
func TestBrokenPipeIsSilent(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	// The output of each command is larger than the program's buffer.
	s.put(bucket+"/large", strings.Repeat("x", 1<<20))
	for i := range 2_000 {
		s.put(fmt.Sprintf("%s/many/%050d", bucket, i), "x")
	}

	for _, args := range [][]string{
		{"cat", bucket + "/large"},
		{"ls", "-r", bucket},
		{"rm", "-r", "-v", bucket + "/many"},
	} {
		t.Run(args[0], func(t *testing.T) {
			var stderr bytes.Buffer
			require.Equal(t, exitBrokenPipe, run(t.Context(), args, s.environment(nil, brokenPipe{}, &stderr)))
			require.Empty(t, stderr.String())
		})
	}
	require.NotEmpty(t, s.run("ls", "-r", bucket+"/many"), "rm must stop before it has removed everything")
}

// A fullDisk fails each Write.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left on device") }

// If a command cannot write its output, it fails and says why.
func TestOutputCannotBeWritten(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a.txt", "a")
	for _, args := range [][]string{
		{"cat", bucket + "/a.txt"},
		{"ls", bucket},
		{"stat", bucket + "/a.txt"},
		{"--version"},
	} {
		t.Run(args[0], func(t *testing.T) {
			var stderr bytes.Buffer
			require.Equal(t, exitFailure, run(t.Context(), args, s.environment(nil, fullDisk{}, &stderr)))
			require.Equal(t, "omnibucket: writing the output: no space left on device\n", stderr.String())
		})
	}
}

// An error does not repeat the credentials in an address, even if the address is in a variable such
// as OMNIBUCKET_PHOTOS.
func TestErrorsContainNoSecrets(t *testing.T) {
	s := newShell(t)
	tests := []struct{ name, address string }{
		{name: "credentials in an address", address: "s3://AKIA:hunter2@photos/a"},
		{
			name:    "credentials in an endpoint",
			address: "s3://photos/a?region=us-east-1&endpoint=http://AKIA:hunter2@localhost:1",
		},
		{name: "credentials in an invalid address", address: "s3://AKIA:hunter2@pho tos/%zz"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			// The location "photos:" has this address.
			s.setLocation("photos", tt.address)

			for _, address := range []string{tt.address, "photos:a"} {
				_, stderr := s.requireExit(exitUsage, "cat", address)
				require.NotContains(t, stderr, "hunter2")
			}
		})
	}
}

// Errors do not contain the control characters of a name.
func TestErrorsHaveNoControlCharacters(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	_, stderr := s.requireExit(exitNotFound, "cat", "--literal", bucket+"/\x1b[31m")
	require.NotContains(t, stderr, "\x1b")
	_, stderr = s.requireExit(exitUsage, "mb", "\x1b[31m")
	require.NotContains(t, stderr, "\x1b")
}

// A terminal gets no control characters of a name, but a pipe gets the original name.
func TestTerminalControlCharactersAreNotPrinted(t *testing.T) {
	output := console.NewOutput(io.Discard, func() {})
	require.Equal(t, "\x1b[31m", output.Printable("\x1b[31m"))
	output.Terminal = true
	require.Equal(t, "?[31m é日", output.Printable("\x1b[31m é日"))
}

// The null device is not a terminal, although it is a character device too.
func TestIsTerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, null.Close())
	}()
	require.False(t, console.IsTerminal(null))
}

// Every command has a help with at least two examples, and these use only flags of the command.
func TestHelpOfEveryCommand(t *testing.T) {
	s := newShell(t)
	p := program.New(s.environment(nil, io.Discard, io.Discard), console.NewOutput(io.Discard, func() {}), nil)
	for _, command := range rootCommand(p).Commands() {
		isOfCobra := command.Name() == "completion"
		if isOfCobra {
			continue
		}
		t.Run(command.Name(), func(t *testing.T) {
			require.NotEmpty(t, command.Short)
			require.NotEmpty(t, command.Long)
			require.NotNil(t, command.Args, "must refuse a wrong number of arguments")

			examples := strings.Split(command.Example, "\n")
			require.GreaterOrEqual(t, len(examples), 2)
			for _, example := range examples {
				_, arguments, found := strings.Cut(example, "omnibucket "+command.Name())
				require.True(t, found, example)
				for _, word := range strings.Fields(arguments) {
					if flag, ok := strings.CutPrefix(word, "--"); ok {
						require.NotNil(t, command.Flag(flag), example)
					}
				}
			}
		})
	}
}
