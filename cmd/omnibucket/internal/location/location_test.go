package location

import (
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/locations"
)

var testNames = map[string]string{
	"OMNIBUCKET_PHOTOS":    "s3://photos?region=eu-west-1",
	"OMNIBUCKET_MY_PHOTOS": "gs://photos/people",
	"OMNIBUCKET_DISK":      "file:///srv/files?create=true#a%23b/",
	"OMNIBUCKET_ACCOUNT":   "s3://?region=eu-west-1",
	"OMNIBUCKET_BAD":       "photos",
	"OMNIBUCKET_C":         "mem://c",
	"OMNIBUCKET_FILE":      "mem://disk",
	"OMNIBUCKET_EMPTY":     "",
	"OMNIBUCKET_USER":      "s3://photos?prefix=users/42/",
	"OMNIBUCKET_FOLDER":    "s3://photos/42?prefix=users/",
}

func lookupTestNames(name string) (string, bool) {
	address, set := testNames[name]
	return address, set
}

// Parse finds the bucket, its prefix and the key in an address, or in a text that begins with the
// name of a location. Other texts are paths.
func TestLocations(t *testing.T) {
	const s3, query = "s3://photos", "?region=eu-west-1"
	// The locations have names for these addresses, among others:
	//   - photos: s3://photos?region=eu-west-1
	//   - user: s3://photos?prefix=users/42/
	//   - folder: s3://photos/42?prefix=users/
	//   - disk: file:///srv/files?create=true#a%23b/
	//   - account: s3://?region=eu-west-1
	tests := []struct {
		name, text           string
		kind                 kind
		address, prefix, key string // of a bucket or an account
	}{
		{name: "standard input and output", text: "-", kind: Stream},
		{name: "a path", text: "photos/a.jpg", kind: LocalPath},
		{name: "a path with a colon", text: "./photos:a", kind: LocalPath},
		{name: "an absolute path with a colon", text: "/photos:a", kind: LocalPath},
		{name: "a path above with a colon", text: "../photos:a", kind: LocalPath},
		{name: "a path with a colon after its first slash", text: "dir/photos:a", kind: LocalPath},
		{name: "a path with a scheme in its middle", text: "dir/s3://photos", kind: LocalPath},
		{name: "a bucket", text: "s3://photos", kind: InBucket, address: s3},
		{name: "a bucket with a slash", text: "s3://photos/", kind: InBucket, address: s3},
		{name: "a bucket with parameters", text: "s3://photos?region=eu-west-1", kind: InBucket, address: s3 + query},
		{name: "parameters after a slash", text: "s3://photos/?region=eu-west-1", kind: InBucket, address: s3 + query},
		{name: "a key", text: "s3://photos/2026/a.jpg?region=eu-west-1", kind: InBucket, address: s3 + query, key: "2026/a.jpg"},
		{name: "a scheme in upper case", text: "S3://photos/a", kind: InBucket, address: s3, key: "a"},
		{name: "a folder", text: "s3://photos/2026/", kind: InBucket, address: s3, key: "2026/"},
		{name: "a key that is escaped", text: "s3://photos/100%25%20%3F%23%2F%C3%A9", kind: InBucket, address: s3, key: "100% ?#/é"},
		{name: "a plus is a plus", text: "s3://photos/a+b", kind: InBucket, address: s3, key: "a+b"},
		{name: "a key that is not escaped", text: "s3://photos/a b/é'\"&=:@", kind: InBucket, address: s3, key: "a b/é'\"&=:@"},
		{name: "a key that begins with a slash", text: "s3://photos//a", kind: InBucket, address: s3, key: "/a"},
		{name: "a prefix", text: "s3://photos?region=eu-west-1&prefix=users%2F42/", kind: InBucket, address: s3 + query, prefix: "users/42/"},
		{
			name:    "a prefix and a key",
			text:    "s3://photos/a?prefix=a%2Bb+c/&region=eu-west-1",
			kind:    InBucket,
			address: s3 + query,
			prefix:  "a+b c/",
			key:     "a",
		},
		{name: "a prefix in a directory", text: "file:///srv/files?prefix=a/#b", kind: InBucket, address: "file:///srv/files", prefix: "a/", key: "b"},
		{name: "a name whose address has a prefix", text: "user:k", kind: InBucket, address: s3, prefix: "users/42/", key: "k"},
		{name: "a name whose address has a prefix and a folder", text: "folder:k", kind: InBucket, address: s3, prefix: "users/42/", key: "k"},
		{name: "an account", text: "s3://?region=eu-west-1", kind: Account, address: "s3://" + query},
		{name: "the account of memory", text: "mem://", kind: Account, address: "mem://"},
		{name: "a directory", text: "file:///srv/files", kind: InBucket, address: "file:///srv/files"},
		{name: "a key in a directory", text: "file:///srv/files#a/b", kind: InBucket, address: "file:///srv/files", key: "a/b"},
		{
			name:    "a key and parameters",
			text:    "file:///srv/my%20files?create=true#a%23?%25/",
			kind:    InBucket,
			address: "file:///srv/my%20files?create=true",
			key:     "a#?%/",
		},
		{name: "an empty key", text: "file:///srv/files#", kind: InBucket, address: "file:///srv/files"},
		{name: "a location", text: "photos:", kind: InBucket, address: s3 + query},
		{name: "the key of a location is not escaped", text: "photos:100%25 ?#/é", kind: InBucket, address: s3 + query, key: "100%25 ?#/é"},
		{name: "a key with a colon", text: "photos:a:b", kind: InBucket, address: s3 + query, key: "a:b"},
		{name: "a name with a dash, of a folder", text: "my-photos:a", kind: InBucket, address: "gs://photos", prefix: "people/", key: "a"},
		{
			name:    "a name of a folder in a directory",
			text:    "disk:a",
			kind:    InBucket,
			address: "file:///srv/files?create=true",
			prefix:  "a#b/",
			key:     "a",
		},
		{name: "a name with the name of a scheme", text: "file:a", kind: InBucket, address: "mem://disk", key: "a"},
		{name: "a name of an account", text: "account:", kind: Account, address: "s3://" + query},
		{name: "a bucket of a named account", text: "account:photos", kind: InBucket, address: "s3://photos" + query},
		{name: "a bucket of a named account with a slash", text: "account:photos/", kind: InBucket, address: "s3://photos" + query},
		{
			name:    "a literal key of a named account",
			text:    "account:photos/a/100%?.jpg",
			kind:    InBucket,
			address: "s3://photos" + query,
			key:     "a/100%?.jpg",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Parse(tt.text, lookupTestNames)
			require.NoError(t, err)
			require.Equal(t, tt.kind, l.Kind)
			switch tt.kind {
			case LocalPath:
				require.Equal(t, tt.text, l.Path)
			case InBucket, Account:
				require.Equal(t, tt.address, l.Address())
				require.Equal(t, tt.prefix, l.Prefix)
				require.Equal(t, tt.key, l.Key)
			}
		})
	}
}

// Parse refuses an invalid address or name. The error has a reason, and never a secret.
func TestInvalidLocations(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string // in the error
	}{
		{name: "nothing", text: "", want: "must not be empty"},
		{name: "credentials", text: "s3://key:secret@photos/a", want: "must not hold credentials"},
		{name: "a key without a bucket", text: "s3:///a", want: "must have a bucket"},
		{name: "a fragment, although keys are in the path", text: "s3://photos/a#b", want: "%23"},
		{name: "an empty fragment, although keys are in the path", text: "s3://photos/a#", want: "%23"},
		{name: "a prefix of an account", text: "s3://?prefix=a/", want: "must not have the parameter prefix"},
		{name: "an empty prefix", text: "s3://photos?prefix=", want: "parameter prefix must be a folder"},
		{name: "a prefix without a slash", text: "s3://photos?prefix=a", want: "parameter prefix must be a folder"},
		{name: "two prefixes", text: "s3://photos?prefix=a/&prefix=b/", want: "more than once"},
		{name: "a percent sign without an escape", text: "s3://photos/100%", want: "%25"},
		{name: "a percent sign in the key of a directory", text: "file:///srv#100%", want: "%25"},
		{name: "a name whose variable has no address", text: "bad:a", want: "location bad must have an address"},
		{name: "a key without a bucket of an account", text: "account:/a", want: "location account is an account"},
		{name: "wildcards in place of a bucket of an account", text: "account:*/a", want: "location account is an account"},
		{name: "a name that is not set", text: "videos:a", want: "OMNIBUCKET_VIDEOS is not set"},
		{name: "a name that is not set, without a key", text: "videos:", want: "OMNIBUCKET_VIDEOS is not set"},
		{name: "a name with a dash that is not set", text: "my-videos:a/b", want: "OMNIBUCKET_MY_VIDEOS is not set"},
		{name: "a name whose variable is empty", text: "empty:a", want: "location empty must have an address"},
		{name: "a name that begins with a digit", text: "2photos:a", want: "name of letters"},
		{name: "a name with a dot", text: "my.photos:a", want: "name of letters"},
		{name: "a name with a space", text: "my photos:a", want: "name of letters"},
		{name: "no name before the colon", text: ":a", want: "name of letters"},
		{name: "a scheme with one slash", text: "s3:/site/x", want: "two slashes"},
		{name: "a scheme with one slash, and credentials", text: "s3:/key:secret@photos/a", want: "two slashes"},
		{name: "a scheme with one slash, and a path", text: "mem:/srv/files", want: "two slashes"},
		{name: "a scheme that is not a name", text: "git+ssh:/host/a", want: "two slashes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.text, lookupTestNames)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// A single letter before a colon is a drive only on Windows.
func TestDriveLetters(t *testing.T) {
	tests := []struct {
		name      string
		text      string
		isWindows bool
		wantName  string // of a location; "" if the text is a path
	}{
		{name: "a drive", text: `C:\photos`, isWindows: true, wantName: ""},
		{name: "a drive with a slash", text: "c:/photos", isWindows: true, wantName: ""},
		{name: "a path of a drive", text: "c:photos", isWindows: true, wantName: ""},
		{name: "a path with a colon", text: `dir\a:b`, isWindows: true, wantName: ""},
		{name: "a longer name", text: "cc:photos", isWindows: true, wantName: "cc"},
		{name: "a letter elsewhere", text: "c:photos", isWindows: false, wantName: "c"},
		{name: "a letter and a slash elsewhere", text: "c:/photos", isWindows: false, wantName: "c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, _, ok := cutName(tt.text, tt.isWindows)
			require.Equal(t, tt.wantName, name)
			require.Equal(t, tt.wantName != "", ok)
		})
	}

	// Parse follows this rule for the system on which it runs.
	l, err := Parse("c:photos", lookupTestNames)
	require.NoError(t, err)
	if runtime.GOOS == "windows" {
		require.Equal(t, LocalPath, l.Kind)
		return
	}
	require.Equal(t, "mem://c", l.Address())
	require.Equal(t, "photos", l.Key)

	_, err = Parse("d:photos", lookupTestNames)
	require.ErrorContains(t, err, "OMNIBUCKET_D is not set")
}

// SplitAccount splits a location into the address of its account and the name of its bucket.
func TestAccountOfABucket(t *testing.T) {
	tests := []struct {
		name        string
		text        string
		wantAddress string
		wantBucket  string
	}{
		{
			name:        "in a cloud",
			text:        "s3://photos?region=eu-west-1",
			wantAddress: "s3://?region=eu-west-1",
			wantBucket:  "photos",
		},
		{name: "in memory", text: "mem://photos", wantAddress: "mem://", wantBucket: "photos"},
		{
			name:        "a directory",
			text:        "file:///srv/my%20files?create=true",
			wantAddress: "file:///srv/?create=true",
			wantBucket:  "my files",
		},
		{
			name:        "with a slash at its end",
			text:        "file:///srv/files/",
			wantAddress: "file:///srv/",
			wantBucket:  "files",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Parse(tt.text, lookupTestNames)
			require.NoError(t, err)
			address, bucket, err := l.SplitAccount()
			require.NoError(t, err)
			require.Equal(t, tt.wantAddress, address)
			require.Equal(t, tt.wantBucket, bucket)
		})
	}
}

// SplitAccount fails if the location is not a whole bucket.
func TestAccountOfNoBucket(t *testing.T) {
	for name, text := range map[string]string{
		"the root of the machine": "file:///",
		"a key":                   "s3://photos/a",
		"a name with a folder":    "my-photos:",
		"an account":              "mem://",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Parse(text, lookupTestNames)
			require.NoError(t, err)
			address, bucket, err := l.SplitAccount()
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Empty(t, address)
			require.Empty(t, bucket)
		})
	}
}

// Each text is a location or an invalid argument. If it is a location in a bucket, the address of
// the bucket together with the key is the same location.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"-", "", "s3://b/k?x=1", "s3://b/k?x=1&prefix=a%20/", "file:///d?x=y#k%20", "photos:k", "C:/x", "s3://u:p@b",
		"mem://", "s3://b/%zz", "://", "a://b#",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text, lookupTestNames)
		if err != nil {
			require.ErrorIs(t, err, storage.InvalidArgument)
			return
		}
		switch {
		case l.Kind == LocalPath:
			require.Equal(t, text, l.Path)
		case l.Kind == InBucket && locations.IsAddress(text):
			require.NotContains(t, l.Address(), "#")
			require.NotContains(t, l.Host, "@")
			same, err := Parse(addressWithKey(l), lookupTestNames)
			require.NoError(t, err)
			// addressWithKey escapes the key, so the key has no wildcards.
			same.HasWildcard = l.HasWildcard
			same.Pattern = l.Pattern
			require.Equal(t, l, same)
		case l.Kind == InBucket:
			require.True(t, strings.HasSuffix(text, l.Key))
		}
	})
}

// addressWithKey returns the address of a location in a bucket. Unlike Address, it includes the
// prefix and the key.
func addressWithKey(l Location) string {
	withPrefix := l
	if l.Prefix != "" {
		withPrefix = l.WithDefault("prefix", l.Prefix)
	}
	if l.Scheme == "file" {
		return withPrefix.Address() + "#" + url.PathEscape(l.Key)
	}
	return l.Scheme + "://" + l.Host + "/" + url.PathEscape(l.Key) + withPrefix.Parameters()
}
