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

func TestLocations(t *testing.T) {
	const s3, query = "s3://photos", "?region=eu-west-1"
	tests := []struct {
		name, text          string
		kind                kind
		address, under, key string // inBucket, account
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
		{name: "a prefix", text: "s3://photos?region=eu-west-1&prefix=users%2F42/", kind: InBucket, address: s3 + query, under: "users/42/"},
		{
			name:    "a prefix and a key",
			text:    "s3://photos/a?prefix=a%2Bb+c/&region=eu-west-1",
			kind:    InBucket,
			address: s3 + query,
			under:   "a+b c/",
			key:     "a",
		},
		{name: "a prefix in a directory", text: "file:///srv/files?prefix=a/#b", kind: InBucket, address: "file:///srv/files", under: "a/", key: "b"},
		{name: "a name whose address has a prefix", text: "user:k", kind: InBucket, address: s3, under: "users/42/", key: "k"},
		{name: "a name whose address has a prefix and a folder", text: "folder:k", kind: InBucket, address: s3, under: "users/42/", key: "k"},
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
		{name: "a name", text: "photos:", kind: InBucket, address: s3 + query},
		{name: "the key of a name is literal", text: "photos:100%25 ?#/é", kind: InBucket, address: s3 + query, key: "100%25 ?#/é"},
		{name: "a colon in it", text: "photos:a:b", kind: InBucket, address: s3 + query, key: "a:b"},
		{name: "a name with a dash, of a folder", text: "my-photos:a", kind: InBucket, address: "gs://photos", under: "people/", key: "a"},
		{
			name:    "a name of a folder in a directory",
			text:    "disk:a",
			kind:    InBucket,
			address: "file:///srv/files?create=true",
			under:   "a#b/",
			key:     "a",
		},
		{name: "a name with the name of a scheme", text: "file:a", kind: InBucket, address: "mem://disk", key: "a"},
		{name: "a name of an account", text: "account:", kind: Account, address: "s3://" + query},
		{name: "a bucket of a named account", text: "account:photos", kind: InBucket, address: "s3://photos" + query},
		{name: "one with a slash", text: "account:photos/", kind: InBucket, address: "s3://photos" + query},
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
				require.Equal(t, [3]string{tt.address, tt.under, tt.key}, [3]string{l.Address(), l.Prefix, l.Key})
			}
		})
	}
}

// An invalid address or name is refused with a reason, which never has a secret.
func TestInvalidLocations(t *testing.T) {
	tests := []struct{ name, text, says string }{
		{"nothing", "", "must not be empty"},
		{"credentials", "s3://key:secret@photos/a", "must not hold credentials"},
		{"a key without a bucket", "s3:///a", "must have a bucket"},
		{"a fragment, although keys are in the path", "s3://photos/a#b", "%23"},
		{"an empty one", "s3://photos/a#", "%23"},
		{"a prefix of an account", "s3://?prefix=a/", "must not have the parameter prefix"},
		{"an empty prefix", "s3://photos?prefix=", "parameter prefix must be a folder"},
		{"a prefix without a slash", "s3://photos?prefix=a", "parameter prefix must be a folder"},
		{"two prefixes", "s3://photos?prefix=a/&prefix=b/", "more than once"},
		{"a percent sign without an escape", "s3://photos/100%", "%25"},
		{"in a directory", "file:///srv#100%", "%25"},
		{"a name whose variable has no address", "bad:a", "location bad must have an address"},
		{"a key without a bucket of an account", "account:/a", "location account is an account"},
		{"wildcards in place of a bucket of an account", "account:*/a", "location account is an account"},
		{"a name that is not set", "videos:a", "OMNIBUCKET_VIDEOS is not set"},
		{"one without a key", "videos:", "OMNIBUCKET_VIDEOS is not set"},
		{"one with a dash", "my-videos:a/b", "OMNIBUCKET_MY_VIDEOS is not set"},
		{"one that is empty", "empty:a", "location empty must have an address"},
		{"one that begins with a digit", "2photos:a", "name of letters"},
		{"one with a dot", "my.photos:a", "name of letters"},
		{"one with a space", "my photos:a", "name of letters"},
		{"none before the colon", ":a", "name of letters"},
		{"a scheme with one slash", "s3:/site/x", "two slashes"},
		{"one with credentials", "s3:/key:secret@photos/a", "two slashes"},
		{"a file's", "mem:/srv/files", "two slashes"},
		{"a scheme that is not a name", "git+ssh:/host/a", "two slashes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.text, lookupTestNames)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.says)
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
		want      string // the name of a location; "" if the text is a path
	}{
		{name: "a drive", text: `C:\photos`, isWindows: true, want: ""},
		{name: "a drive with a slash", text: "c:/photos", isWindows: true, want: ""},
		{name: "a path of a drive", text: "c:photos", isWindows: true, want: ""},
		{name: "a path with a colon", text: `dir\a:b`, isWindows: true, want: ""},
		{name: "a longer name", text: "cc:photos", isWindows: true, want: "cc"},
		{name: "a letter elsewhere", text: "c:photos", isWindows: false, want: "c"},
		{name: "a letter and a slash elsewhere", text: "c:/photos", isWindows: false, want: "c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, _, ok := cutName(tt.text, tt.isWindows)
			require.Equal(t, tt.want, name)
			require.Equal(t, tt.want != "", ok)
		})
	}

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

// SplitAccount returns the address of the account that has a bucket, and the name of the bucket. It fails for what is no
// whole bucket.
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

// Each text is a location or an invalid argument. The address of a location in a bucket, with its key, means the same
// location.
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
			// The key of the address is escaped, so that its characters are no wildcards.
			same.HasWildcard = l.HasWildcard
			same.Pattern = l.Pattern
			require.Equal(t, l, same)
		case l.Kind == InBucket:
			require.True(t, strings.HasSuffix(text, l.Key))
		}
	})
}

// addressWithKey returns the address of a location in a bucket with its prefix and key, which Address leaves out.
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
