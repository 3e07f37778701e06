package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/s3server"
)

// newConfiguredShell returns a shell whose configuration file has this text, and the path of the file.
func newConfiguredShell(t *testing.T, text string) (s *shell, path string) {
	t.Helper()
	s = newShell(t)
	dir := t.TempDir()
	s.env["XDG_CONFIG_HOME"] = dir
	writeFiles(t, dir, map[string]string{"omnibucket/config.yaml": text})
	return s, filepath.Join(dir, "omnibucket", "config.yaml")
}

// config add gives a location a name. Commands accept the name in place of the address.
func TestConfigNamedLocations(t *testing.T) {
	s := newShell(t)
	s.env["XDG_CONFIG_HOME"] = filepath.Join(t.TempDir(), "new", "home")
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	t.Chdir(dir)

	// Name a folder of a bucket, and a local directory.
	s.run("config", "add", "box", bucket+"/folder")
	s.run("config", "add", "disk", "./disk")

	s.put("box:a", "text")
	require.Equal(t, "text", s.run("cat", bucket+"/folder/a"))
	require.Equal(t, "box   "+bucket+"/folder\ndisk  file://"+filepath.ToSlash(dir)+"#disk\n", s.run("config", "list"))
	require.Contains(t, s.run("config", "list", "--json"), `{"name":"box","address":"`+bucket+`/folder"}`)

	// The environment takes precedence over the configuration.
	s.setLocation("box", bucket)
	require.Equal(t, "text", s.run("cat", "box:folder/a"))
	delete(s.env, "OMNIBUCKET_BOX")

	// config add replaces the address of a location only with --replace.
	_, stderr := s.requireExit(exitUsage, "config", "add", "box", "mem://other")
	require.Contains(t, stderr, "hint: to replace its address, use --replace")
	s.run("config", "add", "--replace", "box", "mem://other")

	// A removed location is unknown.
	s.run("config", "remove", "box")
	s.requireExit(exitNotFound, "config", "remove", "box")
	_, stderr = s.requireExit(exitUsage, "cat", "box:a")
	require.Contains(t, stderr, "OMNIBUCKET_BOX is not set, and the configuration has no location box")

	// A name without a colon is no location.
	_, stderr = s.requireExit(exitUsage, "cat", "disk")
	require.Contains(t, stderr, "hint: write disk: for the location, or ./disk for a file")
}

// config add refuses invalid names and addresses, and leaves the configuration file as it is.
func TestConfigAddRefuses(t *testing.T) {
	s, path := newConfiguredShell(t, "locations: {}\n")
	tests := []struct{ name, location, address, wantErr string }{
		{
			name:     "credentials",
			location: "a",
			address:  "s3://key:secret@bucket",
			wantErr:  "must not hold credentials",
		},
		{name: "no address", location: "a", address: "-", wantErr: "must be an address or a path"},
		{name: "a name with a dot", location: "a.b", address: "mem://a", wantErr: "must have letters, digits"},
		{
			name:     "a name of the program's variables",
			location: "flag-quiet",
			address:  "mem://a",
			wantErr:  "has another meaning",
		},
		{
			name:     "a scheme of web pages",
			location: "a",
			address:  "http://localhost:9000/photos",
			wantErr:  "known are: ",
		},
		{
			name:     "a misspelled parameter",
			location: "a",
			address:  "s3://photos?endpont=http://localhost:9000",
			wantErr:  "endpont",
		},
		{
			name:     "a misspelled parameter of an account",
			location: "a",
			address:  "s3://?regon=eu-west-1",
			wantErr:  "regon",
		},
		{
			name:     "the name of the file's variable",
			location: "config",
			address:  "mem://a",
			wantErr:  "has another meaning",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(exitUsage, "config", "add", tt.location, tt.address)
			require.Contains(t, stderr, tt.wantErr)
			require.NotContains(t, stderr, "secret")
		})
	}
	require.Equal(t, "locations: {}\n", readFile(t, path))
}

// If some of the names to remove are misspelled, config remove and config unset still remove the others.
func TestConfigRemoveSeveralLocations(t *testing.T) {
	const text = "locations:\n  a: mem://a\n  b: mem://b\nsettings:\n  concurrency: 3\n  bwlimit: 1M\n"
	tests := []struct {
		name string
		args []string
		want string // content of the file after the command
	}{
		{
			name: "locations",
			args: []string{"remove", "typo", "a", "mistake"},
			want: "locations:\n  b: mem://b\nsettings:\n  concurrency: 3\n  bwlimit: 1M\n",
		},
		{
			name: "settings",
			args: []string{"unset", "typo", "concurrency", "mistake"},
			want: "locations:\n  a: mem://a\n  b: mem://b\nsettings:\n  bwlimit: 1M\n",
		},
		{
			name: "a dry run",
			args: []string{"remove", "--dry-run", "typo", "a", "mistake"},
			want: text,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, path := newConfiguredShell(t, text)

			_, stderr := s.requireExit(exitNotFound, append([]string{"config"}, tt.args...)...)
			require.Contains(t, stderr, "the configuration has no typo and no mistake")
			require.Equal(t, tt.want, readFile(t, path))
		})
	}
}

// The name of an account in the configuration works for all its buckets.
func TestConfigNameOfAnAccount(t *testing.T) {
	// startS3Location creates this bucket.
	const bucket = "photos"
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	_, parameters, _ := strings.Cut(s.addressOf("box"), "?")
	s.setLocation("all", "s3://?"+parameters)

	// The location "all:" is an account, and "box:" is one of its buckets. "all:" with the name of
	// that bucket reaches the objects of "box:".
	s.put("all:"+bucket+"/in/a.txt", "text")
	require.Equal(t, "text", s.run("cat", "box:in/a.txt"))
	require.Equal(t, "in/a.txt\n", s.run("ls", "-r", "all:"+bucket))

	// The account also reaches another bucket.
	s.run("mb", "all:second")
	s.run("cp", "all:"+bucket+"/in/a.txt", "all:second/b.txt")
	require.Equal(t, "text", s.run("cat", "all:second/b.txt"))
	require.Equal(t, "b.txt\n", s.run("ls", "all:second/*.txt"))
	_, stderr := s.requireExit(exitUsage, "rm", "-r", "all:second")
	require.Contains(t, stderr, "needs --all")

	// The buckets of the account, and the keys in them, are completed.
	require.Equal(t, []string{"all:" + bucket + "/", "all:second/"}, s.completions("ls", "all:"))
	require.Equal(t, []string{"all:second/"}, s.completions("ls", "all:sec"))
	require.Equal(t, []string{"all:second/b.txt"}, s.completions("ls", "all:second/"))
	require.Equal(t, []string{"all:second/b.txt"}, s.completions("ls", "all:second/b"))
}

// config set stores a setting, and config unset removes it. A flag has precedence over its variable in the environment,
// and the variable has precedence over the setting.
func TestConfigSettings(t *testing.T) {
	const text = "# mine\nlocations:\n  box: mem://box # the box\nsettings:\n  concurrency: 3\n"
	s, path := newConfiguredShell(t, text)

	// A new setting is added to the configuration file.
	s.run("config", "set", "bwlimit", "08:00,512K 19:00,off")
	require.Equal(t, text+"  bwlimit: 08:00,512K 19:00,off\n", readFile(t, path))
	require.Equal(t, path, s.shownSetting("file"))
	require.Equal(t, "3", s.shownSetting("concurrency"))
	require.Equal(t, "08:00,512K 19:00,off", s.shownSetting("bwlimit"))

	// The environment takes precedence over the setting, and a flag over both.
	s.env["OMNIBUCKET_FLAG_CONCURRENCY"] = "4"
	require.Equal(t, "4", s.shownSetting("concurrency"))
	require.Equal(t, "5", s.shownSetting("concurrency", "--concurrency", "5"))

	// Without a setting, config show prints "-", because the library decides.
	delete(s.env, "OMNIBUCKET_FLAG_CONCURRENCY")
	s.run("config", "unset", "concurrency")
	require.Equal(t, "-", s.shownSetting("concurrency"))
	require.Equal(t, "-", s.shownSetting("timeout"))

	// The value 0 is not the same as no value.
	require.Equal(t, "0", s.shownSetting("retries", "--retries", "0"))
}

// shownSetting runs config show with these arguments, and returns the value that it prints for a
// flag.
func (s *shell) shownSetting(flag string, args ...string) string {
	s.t.Helper()
	for _, line := range splitLines(s.run(append([]string{"config", "show"}, args...)...)) {
		if fields := strings.Fields(line); fields[0] == flag {
			return strings.Join(fields[1:], " ")
		}
	}
	return "none"
}

// config set refuses a name that is no setting, and a value that the flag does not accept.
func TestConfigSettingsInvalid(t *testing.T) {
	s, _ := newConfiguredShell(t, "")
	tests := []struct {
		name    string
		setting string
		value   string
		wantErr string
	}{
		{name: "text as a number", setting: "concurrency", value: "many", wantErr: "value must be valid for --concurrency"},
		{name: "text as a rate", setting: "bwlimit", value: "fast", wantErr: "--bwlimit: timetable must have rates"},
		{name: "unknown flag", setting: "speed", value: "fast", wantErr: "must be a global flag"},
		{name: "flag that is no setting", setting: "dry-run", value: "true", wantErr: "must be a global flag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(exitUsage, "config", "set", tt.setting, tt.value)
			require.Contains(t, stderr, tt.wantErr)
		})
	}
}

// A command fails if the environment variable of a flag has a value that the flag does not accept.
func TestSettingOfTheEnvironmentInvalid(t *testing.T) {
	s, _ := newConfiguredShell(t, "")
	s.env["OMNIBUCKET_FLAG_CONCURRENCY"] = "many"
	_, stderr := s.requireExit(exitUsage, "ls", "mem://a")
	require.Contains(t, stderr, "OMNIBUCKET_FLAG_CONCURRENCY must be a valid value of --concurrency")
}

// If the configuration is invalid, the error of a command names the place. It does not repeat the
// value there, because that may be a secret.
func TestConfigInvalid(t *testing.T) {
	tests := []struct{ name, text, wantErr string }{
		{name: "no YAML", text: "locations: [", wantErr: "line 1: the file must be YAML"},
		{
			name:    "an unknown section",
			text:    "locations:\n  a: mem://a\nsecrets:\n  key: hunter2\n",
			wantErr: "config.yaml:3: the file must have only locations and settings",
		},
		{
			name:    "a location with a list",
			text:    "locations:\n  a: [hunter2]\n",
			wantErr: "config.yaml:2: there must be names and values",
		},
		{
			name:    "credentials",
			text:    "locations:\n  a: s3://key:hunter2@b\n",
			wantErr: "must not hold credentials",
		},
		{
			name:    "a secret parameter",
			text:    "locations:\n  a: s3://b?secret_access_key=hunter2\n",
			wantErr: "must not hold credentials in its parameters",
		},
		{
			name:    "a signature",
			text:    "locations:\n  a: azblob://b?account=me&sig=hunter2\n",
			wantErr: "must not hold credentials in its parameters",
		},
		{
			name:    "credentials of an endpoint",
			text:    "locations:\n  a: s3://b?endpoint=https://me:hunter2@host\n",
			wantErr: "must not hold credentials in its parameters",
		},
		{
			name:    "two names of one variable",
			text:    "locations:\n  a-b: mem://a\n  a_b: mem://hunter2\n",
			wantErr: "must not be both a-b and a_b",
		},
		{name: "a path", text: "locations:\n  a: hunter2/b\n", wantErr: "location a: it must have an address"},
		{name: "an unknown setting", text: "settings:\n  speed: hunter2\n", wantErr: "but has speed"},
		{
			name:    "a value of a setting",
			text:    "settings:\n  concurrency: hunter2\n",
			wantErr: "must be a valid value of --concurrency",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newConfiguredShell(t, tt.text)
			_, stderr := s.requireExit(exitUsage, "ls", "mem://a")
			require.Contains(t, stderr, tt.wantErr)
			require.NotContains(t, stderr, "hunter2")
		})
	}
}

// If the file that --config names is missing, ls fails. config add creates the file that OMNIBUCKET_CONFIG names.
func TestConfigMissing(t *testing.T) {
	s := newShell(t)
	_, stderr := s.requireExit(exitUsage, "ls", "--config", filepath.Join(t.TempDir(), "none"), "mem://a")
	require.Contains(t, stderr, "configuration file must be readable")

	s.env["OMNIBUCKET_CONFIG"] = filepath.Join(t.TempDir(), "mine.yaml")
	s.run("config", "add", "a", "mem://a")
	require.FileExists(t, s.env["OMNIBUCKET_CONFIG"])
}

// "config check" checks all locations. Any other command checks only the location that it opens.
func TestConfigCheck(t *testing.T) {
	s, _ := newConfiguredShell(t, "locations:\n  a: {address: mem://a, layers: [{mirror: b}]}\n  b: mem://b\n")
	require.Empty(t, s.run("config", "check"))

	tests := []struct {
		name    string
		text    string // in which the location a is valid
		wantErr string
	}{
		{
			name:    "layer with an unknown location",
			text:    "locations:\n  a: mem://a\n  c:\n    address: mem://c\n    layers: [{mirror: none}]\n",
			wantErr: "a known location: a, c",
		},
		{
			name:    "unknown parameter",
			text:    "locations:\n  a: mem://a\n  c: {address: mem://c, speed: 1}\n",
			wantErr: "config.yaml:3: location c: address has parameter",
		},
		{
			name:    "unknown scheme",
			text:    "locations:\n  a: mem://a\n  c: smb://c\n",
			wantErr: "config.yaml:3: location c: address has scheme",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newConfiguredShell(t, tt.text)
			s.run("ls", "a:") // uses only the valid location
			_, stderr := s.requireExit(exitUsage, "config", "check")
			require.Contains(t, stderr, tt.wantErr)
		})
	}
}

// If a location requires a feature that its store lacks, a command fails and names the feature.
func TestLocationRequiresFeatures(t *testing.T) {
	s, _ := newConfiguredShell(t, "locations:\n"+
		"  a: {address: "+newDirectoryAddress(t)+", require: [ConditionalCreate]}\n"+
		"  b: {address: "+newDirectoryAddress(t)+", require: [SignedForms, ConditionalCreate]}\n")
	s.put("a:k", "text")
	_, stderr := s.requireExit(exitFailure, "ls", "b:")
	require.Contains(t, stderr, "does not support signed forms")
}

// config set refuses a setting with which no command would work. config unset can remove such a
// setting from the file.
func TestConfigRefusesBreakingSetting(t *testing.T) {
	s, _ := newConfiguredShell(t, "") // with an empty file
	_, stderr := s.requireExit(exitUsage, "config", "set", "concurrency", "0")
	require.Contains(t, stderr, "--concurrency must be at least 1")

	// The settings "quiet" and "verbose" contradict each other.
	s.run("config", "set", "quiet", "true")
	s.requireExit(exitUsage, "config", "set", "verbose", "true")
	s.run("config", "list")

	// A user has written an invalid value into the file. ls refuses it, but config show and config
	// unset still work.
	for _, value := range []string{`"0"`, "many"} {
		t.Run(value, func(t *testing.T) {
			s, _ := newConfiguredShell(t, "settings:\n  concurrency: "+value+"\n")
			s.requireExit(exitUsage, "ls", newMemoryAddress(t))

			s.run("config", "show")
			s.run("config", "unset", "concurrency")
			s.run("ls", newMemoryAddress(t))
		})
	}
}

// If the user has no home directory, commands read no configuration. They also ignore one in the
// current directory, which may be another user's.
func TestConfigWithoutHome(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	// Without these variables, the user has no directory for configurations.
	for _, variable := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(variable, "")
	}

	// The current directory has a configuration. Commands must not read it.
	writeFiles(t, dir, map[string]string{"omnibucket/config.yaml": "locations:\n  box: mem://other\n"})

	s := newShell(t)
	delete(s.env, "OMNIBUCKET_CONFIG")
	delete(s.env, "XDG_CONFIG_HOME")

	_, stderr := s.requireExit(exitUsage, "ls", "box:")
	require.Contains(t, stderr, "OMNIBUCKET_BOX is not set")
	_, stderr = s.requireExit(exitUsage, "config", "add", "box", "mem://box")
	require.Contains(t, stderr, "hint: use --config to name a file")
}

// --endpoint, --region and --profile add parameters to an address. They do not if the address has
// the parameter, or if its scheme does not know it.
func TestAddressFlags(t *testing.T) {
	p := program.New(newShell(t).environment(nil, io.Discard, io.Discard), nil, nil)
	p.Global.Endpoint = "http://127.0.0.1:9000/?a"
	p.Global.Region = "eu-west-1"
	p.Global.Profile = "minio"
	const endpoint = "endpoint=http%3A%2F%2F127.0.0.1%3A9000%2F%3Fa"

	tests := []struct {
		name    string
		address string
		want    string
	}{
		{name: "all", address: "s3://b/k", want: "s3://b?" + endpoint + "&region=eu-west-1&profile=minio"},
		{
			name:    "all but those that it has",
			address: "s3://b/k?region=us-east-1&endpoint=x",
			want:    "s3://b?region=us-east-1&endpoint=x&profile=minio",
		},
		{name: "only the endpoint", address: "gs://b/k", want: "gs://b?" + endpoint},
		{name: "none", address: "mem://b/k", want: "mem://b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := p.Stores.Locate(tt.address)
			require.NoError(t, err)
			require.Equal(t, tt.want, l.Address())
		})
	}
}

// Local paths work in every command.
func TestLocalPathsInEveryCommand(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)

	writeFiles(t, dir, map[string]string{"site/a b.txt": "a", "site/sub/c%": "c"})

	// Read a directory and a file in it.
	require.Equal(t, "a b.txt\nsub/\n", s.run("ls", "./site"))
	require.Equal(t, "a b.txt\nsub/c%\n", s.run("ls", "-r", "site"))
	require.Equal(t, "a b.txt\n", s.run("ls", "site/a b.txt"))
	require.Equal(t, "c", s.run("cat", "site/sub/c%"))
	require.Equal(t, "site\n", s.run("ls", "--buckets", "."))
	require.Contains(t, s.run("stat", "./site"), "provider")
	require.Contains(t, s.run("stat", "site/a b.txt"), "size")

	// Make and remove directories.
	s.run("mb", "./made")
	require.DirExists(t, "made")
	s.run("rb", "./made")
	require.NoDirExists(t, "made")
	require.Equal(t, "sub/c%\n", s.run("rm", "-v", "-r", "site/sub"))

	// Remove a file. A directory needs -r.
	s.requireExit(exitUsage, "rm", "site")
	s.run("rm", "site/a b.txt")

	// Commands refuse a path that does not exist, and mb refuses a path without a slash.
	s.requireExit(exitNotFound, "ls", "nowhere/else")
	s.requireExit(exitUsage, "mb", "made")

	// No command has made another entry beside "site".
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, entry := range entries {
		require.Equal(t, "site", entry.Name())
	}
}

// config list does not show a secret that an environment variable has in the wrong place.
func TestConfigListShowsNoSecretOfAVariable(t *testing.T) {
	s := newShell(t)
	s.run("config", "add", "box", "s3://photos?region=eu-west-1")
	for _, name := range []string{"sas", "passwd", "key"} {
		s.setLocation("box", "s3://photos?"+name+"=hunter2")
		for _, format := range []string{"--json=false", "--json"} {
			require.NotContains(t, s.run("config", "list", format), "hunter2", name)
		}
	}
	s.setLocation("box", "s3://other")
	require.Equal(t, "box  s3://other\n", s.run("config", "list"))
}
