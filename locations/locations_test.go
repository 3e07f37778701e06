package locations_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/layers/diskcache"
	_ "github.com/omnibucket/storage/layers/limit"
	_ "github.com/omnibucket/storage/layers/mirror"
	_ "github.com/omnibucket/storage/layers/overlay"
	_ "github.com/omnibucket/storage/layers/readonly"
	"github.com/omnibucket/storage/locations"
	"github.com/omnibucket/storage/memstore"
	_ "github.com/omnibucket/storage/providers/local"
)

// environment returns a Lookup of these variables.
func environment(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, set := variables[name]
		return value, set
	}
}

// parse parses a configuration that sees no variables of the environment.
func parse(t *testing.T, text string) *locations.Config {
	t.Helper()
	c, err := locations.Parse("config.yaml", []byte(text))
	require.NoError(t, err)
	c.Lookup = environment(nil)
	return c
}

// put stores an object.
func put(t *testing.T, b storage.Bucket, key, text string) {
	t.Helper()
	_, err := b.Upload(t.Context(), key, strings.NewReader(text))
	require.NoError(t, err)
}

// get returns the content of an object.
func get(t *testing.T, b storage.Bucket, key string) string {
	t.Helper()
	text, _, err := storage.ReadAll(t.Context(), b, key)
	require.NoError(t, err)
	return string(text)
}

// open opens a location for the time of the test.
func open(t *testing.T, c *locations.Config, name string, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b, err := c.Open(t.Context(), name, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// Open finds a location by its name, in YAML or JSON, and in another spelling.
func TestOpenByName(t *testing.T) {
	tests := []struct {
		name     string
		config   string // %s stands for an address
		location string // name by which the location is opened
	}{
		{
			name:     "an address",
			config:   "locations:\n  photos: %s\n",
			location: "photos",
		},
		{
			name:     "fields",
			config:   "locations:\n  photos:\n    address: %s\n    part_size: 8388608\n",
			location: "photos",
		},
		{
			name:     "another spelling of the name",
			config:   "locations:\n  my-photos: %s\n",
			location: "MY_PHOTOS",
		},
		{
			name:     "JSON",
			config:   `{"locations": {"photos": {"address": "%s"}}}`,
			location: "photos",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := newDirectory(t)
			c := parse(t, fmt.Sprintf(tt.config, address))
			put(t, open(t, c, tt.location), "a", "text")

			// The object is at the address of the file.
			bucket, err := storage.Open(t.Context(), address)
			require.NoError(t, err)
			require.Equal(t, "text", get(t, bucket, "a"))
			require.NoError(t, storage.Close(bucket))
		})
	}
}

// Open of a location with a prefix returns a bucket of the keys below it.
func TestOpenFolder(t *testing.T) {
	tests := []struct {
		name   string
		folder string // fields of a location; %s stands for the address of a directory
		want   string // key in the directory
	}{
		{name: "fragment of the address", folder: "address: %s#a\n", want: "a/k"},
		{name: "parameter of the address", folder: "address: %s?prefix=a/\n", want: "a/k"},
		{name: "field of the location", folder: "address: %s\n    prefix: a/\n", want: "a/k"},
		{name: "fragment and field", folder: "address: %s#b\n    prefix: a/\n", want: "a/b/k"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := newDirectory(t)
			folder := fmt.Sprintf(tt.folder, address)
			c := parse(t, "locations:\n  whole: "+address+"\n  folder:\n    "+folder)

			put(t, open(t, c, "folder"), "k", "text")
			require.Equal(t, "text", get(t, open(t, c, "whole"), tt.want))
		})
	}
}

// The address in an environment variable replaces that of the file, but the layers of the file stay.
func TestOpenEnvironmentComesFirst(t *testing.T) {
	fileAddress := newDirectory(t)
	variableAddress := newDirectory(t)
	c := parse(t, `
locations:
  photos:
    address: `+fileAddress+`
    layers: [{readonly: {}}]
`)
	c.Lookup = environment(map[string]string{
		"OMNIBUCKET_PHOTOS":    variableAddress,
		"OMNIBUCKET_ONLY_HERE": variableAddress,
	})

	// The location only-here exists only as a variable. An object that is stored there is also in photos, because its
	// variable has the same address.
	put(t, open(t, c, "only-here"), "a", "text")
	photos := open(t, c, "photos")
	require.Equal(t, "text", get(t, photos, "a"))
	require.ErrorIs(t, photos.Remove(t.Context(), "a"), storage.PermissionDenied, "the layer of the file is there")

	address, err := c.Address("photos")
	require.NoError(t, err)
	require.Equal(t, variableAddress, address)
}

// Open opens the layers of a location, of which the first is the one nearest to the store.
func TestOpenLayers(t *testing.T) {
	newAddress := newDirectory(t)
	oldAddress := newDirectory(t)
	c := parse(t, `
locations:
  new: `+newAddress+`
  old: `+oldAddress+`
  second: mem://TestOpenLayers
  photos:
    address: `+newAddress+`
    layers:
      - overlay: {old: old}
      - mirror: second
      - diskcache: {dir: `+t.TempDir()+`, max: 1M}
      - limit: {reads: 10000}
`)
	require.NoError(t, c.Check())

	// Through the overlay, photos has the objects of the old store.
	put(t, open(t, c, "old"), "a", "of the old store")
	b, err := c.Open(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, "of the old store", get(t, b, "a"))

	// A new object is stored in the store of photos and in that of the mirror.
	put(t, b, "b", "new")
	require.NoError(t, storage.Close(b))
	require.Equal(t, "new", get(t, open(t, c, "new"), "b"))
	require.Equal(t, "new", get(t, open(t, c, "second"), "b"), "the mirror has it, too")
	require.ErrorIs(t, b.Remove(t.Context(), "b"), storage.InvalidArgument, "the bucket is closed")
}

// newDirectory returns the address of a new directory.
func newDirectory(t *testing.T) string {
	t.Helper()
	return "file://" + filepath.ToSlash(t.TempDir())
}

// A program without a configuration file can make a Config of values of its own. The settings of a layer are a map or
// a struct with yaml tags.
func TestConfigOfValues(t *testing.T) {
	type limitSettings struct {
		Reads int `yaml:"reads"`
	}
	c := &locations.Config{
		Lookup: environment(nil),
		Locations: map[string]locations.Location{
			"old": {Address: newDirectory(t)},
			"photos": {
				Address:    newDirectory(t),
				Parameters: map[string]string{"prefix": "a/"},
				Require:    []string{"ConditionalCreate"},
				Layers: []locations.Layer{
					{Name: "overlay", Settings: map[string]any{"old": "old"}},
					{Name: "limit", Settings: limitSettings{Reads: 1000}},
				},
			},
		},
	}

	require.NoError(t, c.Check())
	require.Equal(t, []string{"old", "photos"}, c.Names())

	// The location photos shows the old objects below its prefix.
	put(t, open(t, c, "old"), "a/k", "text")
	require.Equal(t, "text", get(t, open(t, c, "photos"), "k"))
}

// Open and OpenService need no configuration file for an address, but Open needs one for a name.
func TestOpenAddressWithoutConfiguration(t *testing.T) {
	t.Setenv(locations.PathVariable, filepath.Join(t.TempDir(), "missing"))

	// An address needs no file.
	b, err := locations.Open(t.Context(), "mem://TestAnAddressIsOpened")
	require.NoError(t, err)
	require.NoError(t, storage.Close(b))

	service, err := locations.OpenService(t.Context(), "mem://")
	require.NoError(t, err)
	require.NoError(t, service.Close())

	// A name needs the file, which is missing.
	_, err = locations.Open(t.Context(), "photos")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "configuration file must be readable")
}

// Names and Open use the configuration file at DefaultPath if there is one.
func TestDefaultPath(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv(locations.PathVariable, "")

	// Without the file, there are no locations.
	names, err := locations.Names()
	require.NoError(t, err)
	require.Empty(t, names)

	// With the file, its locations are known and can be opened.
	path := locations.DefaultPath(os.LookupEnv)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("locations: {photos: mem://TestDefaultPath}"), 0o600))

	names, err = locations.Names()
	require.NoError(t, err)
	require.Equal(t, []string{"photos"}, names)

	b, err := locations.Open(t.Context(), "photos")
	require.NoError(t, err)
	put(t, b, "a", "text")
	require.NoError(t, storage.Close(b))
}

// OpenService opens an account with its layers. It refuses a layer that has a second store, because that is one bucket.
func TestOpenServiceOfAnAccount(t *testing.T) {
	dir := t.TempDir()
	c := parse(t, fmt.Sprintf(`
locations:
  all: {address: "mem://", layers: [{diskcache: {dir: %s}}]}
  moving: {address: "mem://", layers: [{overlay: {old: other}}]}
  other: mem://TestOpenServiceOfAnAccount
`, dir))

	// The layer diskcache has no second store.
	service, err := c.OpenService(t.Context(), "all")
	require.NoError(t, err)
	require.NoError(t, service.Close())

	// The layer overlay has the bucket "other" as its second store.
	_, err = c.OpenService(t.Context(), "moving")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "must be one bucket")
}

// Opening a location fails with Unsupported if its store lacks a feature that the location requires.
func TestFeaturesRequired(t *testing.T) {
	c := parse(t, `
locations:
  supported:
    address: mem://TestRequires
    require: [ServerAppend, ConditionalCreate]
  unsupported:
    address: mem://TestRequires
    require: [SignedURLs, ConditionalCreate, SignedForms]
`)
	open(t, c, "supported")

	_, err := c.Open(t.Context(), "unsupported")
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "SignedURLs, SignedForms")
}

// Open refuses a location that it does not know, that needs what is not compiled in, or whose stores overlap. The error
// says what is wrong, and Check finds the fault, too.
func TestOpenFails(t *testing.T) {
	t.Run("unknown location", func(t *testing.T) {
		c := parse(t, "locations: {b: mem://b}")
		requireOpenFails(t, c, "the configuration has no location a; known are: b", "set the variable")
	})

	tests := []struct {
		name     string
		text     string // configuration with the location a
		wantText string // part of the error
		wantHint string // part of the hint
	}{
		{
			name:     "a driver that is not compiled in",
			text:     "locations: {a: s3://bucket}",
			wantText: "known are: file, mem",
			wantHint: "providers/s3",
		},
		{
			name:     "a layer that is not compiled in",
			text:     "locations: {a: {address: mem://a, layers: [{encrypt: {}}]}}",
			wantText: "config.yaml:1: location a: layer encrypt must be compiled into the program",
			wantHint: "layers/encrypt",
		},
		{
			name:     "an unknown parameter",
			text:     "locations: {a: {address: mem://a, speed: 1}}",
			wantText: `parameter "speed"`,
		},
		{
			name:     "a mirror of itself",
			text:     "locations: {a: {address: mem://a, layers: [{mirror: A}]}}",
			wantText: "layer mirror: the second store must be another location",
		},
		{
			name:     "a second store with layers",
			text:     "locations: {a: {address: mem://a, layers: [{mirror: b}]}, b: {address: mem://b, layers: [{mirror: a}]}}",
			wantText: "a whole bucket without layers",
		},
		{
			name:     "a second store that is a folder",
			text:     "locations: {a: {address: mem://a, layers: [{mirror: b}]}, b: {address: mem://b, prefix: x/}}",
			wantText: "a whole bucket without layers",
			wantHint: "leave its prefix out",
		},
		{
			name:     "a missing second store",
			text:     "locations: {a: {address: mem://a, layers: [{mirror: c}]}}",
			wantText: "a known location: a",
		},
		{
			name:     "the same bucket as second store",
			text:     "locations: {a: {address: mem://a, layers: [{mirror: b}]}, b: mem://a}",
			wantText: "must not be the same bucket",
		},
		{
			name:     "a directory in the other one",
			text:     "locations: {a: {address: 'file:///t/a', layers: [{mirror: b}]}, b: 'file:///t/a/b'}",
			wantText: "must not be the same bucket",
		},
		{
			name: "a cache in the second store",
			text: "locations: {a: {address: 'file:///t/a', layers: [{diskcache: {dir: /t/b/c}}, {overlay: {old: b}}]}, " +
				"b: 'file:///t/b'}",
			wantText: "the directory of a cache must not overlap",
		},
		{
			name:     "one second store twice",
			text:     "locations: {a: {address: mem://a, layers: [{mirror: b}, {overlay: {old: c}}]}, b: mem://b, c: mem://b}",
			wantText: "must name different stores",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := parse(t, tt.text)
			requireOpenFails(t, c, tt.wantText, tt.wantHint)
			require.ErrorIs(t, c.Check(), storage.InvalidArgument)
		})
	}
}

// requireOpenFails requires that the location a cannot be opened, with this text in the error and in its hint.
func requireOpenFails(t *testing.T, c *locations.Config, text, hint string) {
	t.Helper()
	b, err := c.Open(t.Context(), "a")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Nil(t, b)
	require.ErrorContains(t, err, text)

	storageErr, _ := errors.AsType[*storage.Error](err)
	require.Contains(t, storageErr.Hint, hint)
}

// If another location needs a scheme or a layer that is not compiled in, Open of this location still works.
func TestOpenIgnoresOtherLocations(t *testing.T) {
	c := parse(t, "locations:\n  a: mem://TestAnother\n"+
		"  b: {address: s3://b, layers: [{encrypt: {x: 1}}]}\n  c: gs://c\n")
	open(t, c, "a")
}

// aliasBomb returns YAML of ten lists. Each has the list before nine times, so that the last one would fill the memory.
func aliasBomb() string {
	text := "a: &a [x]\n"
	for name := 'b'; name <= 'j'; name++ {
		alias := fmt.Sprintf("*%c", name-1)
		text += fmt.Sprintf("%c: &%c [%s]\n", name, name, strings.Repeat(alias+", ", 8)+alias)
	}
	return text
}

// Parse refuses a file that is malformed or has unknown or wrong settings. The error says what is wrong, and does not
// show a value, which may be the secret "hunter2".
func TestParseFails(t *testing.T) {
	const secret = "hunter2"
	tests := []struct{ name, text, wantText string }{
		{name: "no YAML", text: "locations: [", wantText: "line 1: the file must be YAML"},
		{name: "a list", text: "- hunter2", wantText: "config.yaml:1: there must be names and values"},
		{name: "two documents", text: "locations: {}\n---\nhunter2: {}\n", wantText: "one document"},
		{
			name:     "an unknown section",
			text:     "locations: {}\nhunter2: {}\n",
			wantText: "config.yaml:2: the file must have only locations and settings",
		},
		{
			name:     "a list in place of a location",
			text:     "locations:\n  a: [hunter2]\n",
			wantText: "config.yaml:2: there must be names",
		},
		{
			name:     "a name twice",
			text:     "locations:\n  a: mem://a\n  a: mem://hunter2\n",
			wantText: "config.yaml:3: a name must not be there twice",
		},
		{
			name:     "a field twice",
			text:     "locations:\n  a:\n    address: mem://a\n    address: mem://hunter2\n",
			wantText: "twice",
		},
		{
			name:     "two names of one variable",
			text:     "locations:\n  a-b: mem://a\n  a_b: mem://hunter2\n",
			wantText: "not be both a-b and a_b",
		},
		{
			name:     "an anchor",
			text:     "locations:\n  a: &x mem://hunter2\n  b: *x\n",
			wantText: "config.yaml:2: address must be text",
		},
		{name: "an alias", text: "locations:\n  a: {address: mem://a, layers: [{limit: *x}]}\n", wantText: "YAML"},
		{
			name:     "a merge",
			text:     "locations:\n  a:\n    <<: {address: mem://hunter2}\n",
			wantText: "a name must be text",
		},
		{name: "aliases of aliases", text: aliasBomb(), wantText: "the file must have only"},
		{
			name:     "no address",
			text:     "locations:\n  a: hunter2\n",
			wantText: "config.yaml:2: location a: it must have an address",
		},
		{name: "a location without anything", text: "locations:\n  a: {}\n", wantText: "it must have an address"},
		{name: "a null", text: "locations:\n  a:\n", wantText: "address must be text"},
		{
			name:     "credentials in the address",
			text:     "locations: {a: 's3://key:hunter2@b'}",
			wantText: "must not hold credentials",
		},
		{
			name:     "a secret in the address",
			text:     "locations: {a: 's3://b?secret_access_key=hunter2'}",
			wantText: "must not hold credentials",
		},
		{
			name:     "a secret in a field",
			text:     "locations: {a: {address: s3://b, secret_key: hunter2}}",
			wantText: "must not hold credentials",
		},
		{
			name:     "a secret in an endpoint",
			text:     "locations: {a: {address: s3://b, endpoint: 'https://u:hunter2@host'}}",
			wantText: "must not hold credentials",
		},
		{
			name:     "a parameter twice",
			text:     "locations: {a: {address: 's3://b?region=x', region: hunter2}}",
			wantText: "no parameter must be given twice",
		},
		{
			name:     "an unknown layer",
			text:     "locations:\n  a:\n    address: mem://a\n    layers:\n      - hunter2: {}\n",
			wantText: "config.yaml:5: location a: layer must have a name that is known: diskcache, limit",
		},
		{
			name:     "an unknown field of a layer",
			text:     "locations: {a: {address: mem://a, layers: [{limit: {hunter2: 1}}]}}",
			wantText: "no other fields than bytes, reads",
		},
		{
			name:     "a field of another type",
			text:     "locations: {a: {address: mem://a, layers: [{limit: {reads: hunter2}}]}}",
			wantText: "a value of its type",
		},
		{
			name:     "a field of a layer twice",
			text:     "locations: {a: {address: mem://a, layers: [{limit: {reads: 1, reads: 2}}]}}",
			wantText: "must not be there twice",
		},
		{
			name:     "fields in place of a text",
			text:     "locations: {a: {address: mem://a, layers: [{mirror: {x: hunter2}}]}}",
			wantText: "there must be one text",
		},
		{
			name:     "a text in place of fields",
			text:     "locations: {a: {address: mem://a, layers: [{overlay: hunter2}]}}",
			wantText: "there must be fields: old",
		},
		{
			name:     "an unknown feature",
			text:     "locations: {a: {address: mem://a, require: [hunter2]}}",
			wantText: "only names of features",
		},
		{
			name:     "a prefix that is no folder, and a folder",
			text:     "locations: {a: {address: 'file:///t/a#x', prefix: hunter2}}",
			wantText: "end in \"/\"",
		},
		{
			name:     "two prefixes",
			text:     "locations: {a: 'file:///t/a?prefix=a/&prefix=b/#x'}",
			wantText: "must be given once",
		},
		{
			name:     "an unknown layer twice",
			text:     "locations: {a: {address: mem://a, layers: [{hunter2: {}}, {hunter2: {}}]}}",
			wantText: "a name that is known",
		},
		{
			name:     "a layer twice",
			text:     "locations: {a: {address: mem://a, layers: [{readonly: {}}, {readonly: {}}]}}",
			wantText: "readonly only once",
		},
		{
			name:     "two layers in one",
			text:     "locations: {a: {address: mem://a, layers: [{readonly: {}, limit: {}}]}}",
			wantText: "must have one name",
		},
		{
			name:     "a name of the command line",
			text:     "locations: {flag-quiet: mem://hunter2}",
			wantText: "has another meaning",
		},
		{name: "a name with a dot", text: "locations: {a.b: mem://hunter2}", wantText: "must have letters, digits"},
		{name: "a huge file", text: strings.Repeat("# hunter2\n", 200_000), wantText: "at most 1 MiB"},
		{name: "a deep file", text: strings.Repeat("[", 200_000), wantText: "YAML"},
		{
			name:     "a deep mapping",
			text:     "locations: " + strings.Repeat("{a: ", 9_000) + strings.Repeat("}", 9_000),
			wantText: "must be text",
		},
		{name: "bytes", text: "locations: {a: !!binary aHVudGVyMg==}", wantText: "must be text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := locations.Parse("config.yaml", []byte(tt.text))
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantText)
			storageErr, _ := errors.AsType[*storage.Error](err)
			require.NotContains(t, err.Error()+storageErr.Hint, secret)
		})
	}
}

// An empty file has no locations.
func TestParseEmptyFile(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "locations:\nsettings:\n", "{}"} {
		require.Empty(t, parse(t, text).Names(), "%q", text)
	}
}

// Open refuses a name that looks like an address or a path, with an error of limited length.
func TestIsNameAndIsAddress(t *testing.T) {
	c := parse(t, "locations: {mem: mem://TestNamesThatLook}")
	open(t, c, "mem")

	tooLong := strings.Repeat("x", 5000) + "!"
	for _, name := range []string{"", "mem:", "mem:/a", "//a", "a/b", "config", "flag_quiet", "a.b", "é", tooLong} {
		_, err := c.Open(t.Context(), name)
		require.ErrorIs(t, err, storage.InvalidArgument, name)
		require.Less(t, len(err.Error()), 2000)
	}
}

// No form of printing, logging or encoding a configuration shows its secrets, nor does the error of opening a location.
func TestFormatHidesSecrets(t *testing.T) {
	const secret = "hunter2"
	photos := locations.Location{
		Address:    "s3://key:" + secret + "@b?sig=" + secret,
		Parameters: map[string]string{"secret": secret},
		Layers:     []locations.Layer{{Name: "encrypt", Settings: map[string]any{"identity": secret}}},
	}
	c := &locations.Config{
		Locations: map[string]locations.Location{"photos": photos},
		Settings:  map[string]string{"a": secret},
	}

	toJSON := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return string(text)
	}

	// Write the configuration and the location in all ways.
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "location", photos)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", *c, "location", photos)

	texts := map[string]string{
		"config":                fmt.Sprint(c),
		"config with %+v":       fmt.Sprintf("%+v", c),
		"config with %#v":       fmt.Sprintf("%#v", c),
		"config value with %+v": fmt.Sprintf("%+v", *c),
		"locations with %+v":    fmt.Sprintf("%+v", c.Locations),
		"locations with %#v":    fmt.Sprintf("%#v", c.Locations),
		"wrong verbs":           fmt.Sprintf("%d %q", photos, *c),
		"log":                   log.String(),
		"JSON of config":        toJSON(c),
		"JSON of location":      toJSON(photos),
		"JSON of layers":        toJSON(photos.Layers),
	}

	// No text has the secret.
	for name, text := range texts {
		require.NotContains(t, text, secret, name)
	}

	// The address is invalid, and the error does not have the secret, either.
	_, err := c.Open(t.Context(), "photos")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, err.Error(), secret)
}

// A location has a mirror. If one of its two stores cannot be opened, Open closes the other one.
func TestOpenFailsClosesTheOtherStore(t *testing.T) {
	c := parse(t, "locations: {a: {address: mem://unavailable, layers: [{mirror: b}]}, b: mem://TestAFailedOpening}")
	var opened []storage.Bucket
	c.OpenBucket = func(_ context.Context, address string, opts ...storage.OpenOption) (storage.Bucket, error) {
		if address == "mem://unavailable" {
			return nil, storage.Unavailable
		}
		b := memstore.New(opts...)
		opened = append(opened, b)
		return b, nil
	}

	_, err := c.Open(t.Context(), "a")
	require.ErrorIs(t, err, storage.Unavailable)
	require.Len(t, opened, 1)

	_, err = opened[0].Exists(t.Context(), "k")
	require.ErrorIs(t, err, storage.InvalidArgument, "the bucket is closed")
}

// The error of a wrong environment variable names the variable and not the file, and hides its value.
func TestVariableIsWrong(t *testing.T) {
	c := parse(t, "locations: {photos: mem://photos}")
	for name, value := range map[string]string{
		"empty":    "",
		"path":     "./photos",
		"password": "s3://user:hunter2@b",
	} {
		t.Run(name, func(t *testing.T) {
			c.Lookup = environment(map[string]string{"OMNIBUCKET_PHOTOS": value})
			_, err := c.Open(t.Context(), "photos")
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "variable OMNIBUCKET_PHOTOS: ")
			require.NotContains(t, err.Error(), "config.yaml")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// The memory that Parse and Check allocate grows in proportion to the number of locations or of parameters. They accept
// 40,000 locations, and refuse 60,000 parameters of one location.
func TestParseLargeFile(t *testing.T) {
	tests := []struct {
		name  string
		head  string
		line  string // %d stands for its number
		count int
		want  error
	}{
		{
			name:  "locations",
			head:  "locations:\n",
			line:  "  l%d: mem://a\n",
			count: 40_000,
		},
		{
			name:  "parameters",
			head:  "locations:\n  a:\n    address: mem://a\n",
			line:  "    p%d: x\n",
			count: 60_000,
			want:  storage.InvalidArgument,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parseAndMeasure := func(count int) (allocatedBytes uint64) {
				var text strings.Builder
				text.WriteString(tt.head)
				for i := range count {
					fmt.Fprintf(&text, tt.line, i)
				}

				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				c, err := locations.Parse("config.yaml", []byte(text.String()))
				if err == nil {
					c.Lookup = environment(nil)
					err = c.Check()
				}
				runtime.ReadMemStats(&after)
				require.ErrorIs(t, err, tt.want)
				return after.TotalAlloc - before.TotalAlloc
			}

			// A file of twice the size needs about twice as much. With quadratic growth, it would be four times as much.
			half := parseAndMeasure(tt.count / 2)
			whole := parseAndMeasure(tt.count)
			require.Less(t, whole, 3*half)
		})
	}
}

// Parse and ReadFile accept a file of 1 MiB, and refuse a file that is one byte larger.
func TestReadFileLargest(t *testing.T) {
	const largest = 1 << 20
	const head = "locations: {a: mem://a}\n#" // up to a comment, which fills the file
	tests := []struct {
		name string
		size int   // of the file
		want error // nil if the file is accepted
	}{
		{name: "largest", size: largest},
		{name: "too large", size: largest + 1, want: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := []byte(head + strings.Repeat("x", tt.size-len(head)))
			_, err := locations.Parse("config.yaml", text)
			require.ErrorIs(t, err, tt.want)

			path := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(path, text, 0o600))
			_, err = locations.ReadFile(path)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// ReadFile refuses files that are not regular.
func TestReadFileRegular(t *testing.T) {
	_, err := locations.ReadFile(t.TempDir())
	require.ErrorContains(t, err, "is no regular file")

	_, err = locations.ReadFile(os.DevNull)
	require.ErrorContains(t, err, "is no regular file")
}

// A location keeps its prefix if an environment variable replaces its address, unless the new address has a prefix.
func TestVariableKeepsThePrefix(t *testing.T) {
	c := parse(t, `locations: {tenant: {address: "memory://one", prefix: "users/1/"}}`)
	tests := []struct {
		name     string
		variable string // the new address
		want     string // the address of the location
	}{
		{
			name:     "no prefix",
			variable: "memory://two",
			want:     "memory://two?prefix=users%2F1%2F",
		},
		{
			name:     "another prefix",
			variable: "memory://two?prefix=users/2/",
			want:     "memory://two?prefix=users/2/",
		},
		{
			name:     "an empty prefix",
			variable: "memory://two?prefix=",
			want:     "memory://two?prefix=",
		},
		{
			name:     "another parameter",
			variable: "memory://two?region=eu-west-1",
			want:     "memory://two?region=eu-west-1&prefix=users%2F1%2F",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.Lookup = environment(map[string]string{"OMNIBUCKET_TENANT": tt.variable})
			address, err := c.Address("tenant")
			require.NoError(t, err)
			require.Equal(t, tt.want, address)
		})
	}
}

// Parse refuses an address with a parameter whose name is that of a secret, and does not show its
// value.
func TestAddressesHoldNoSecrets(t *testing.T) {
	parseWithParameter := func(name string) error {
		text := `locations: {a: "s3://b?` + name + `=hunter2"}`
		_, err := locations.Parse("c.yaml", []byte(text))
		return err
	}

	for _, name := range []string{"sas", "passwd", "key", "api_key", "secret", "sig", "password"} {
		err := parseWithParameter(name)
		require.ErrorIs(t, err, storage.InvalidArgument, name)
		require.NotContains(t, err.Error(), "hunter2")
	}
	for _, name := range []string{"kms_key", "bucket_key", "signing_key", "credentials", "expected_bucket_owner"} {
		require.NoError(t, parseWithParameter(name), name)
	}
}
