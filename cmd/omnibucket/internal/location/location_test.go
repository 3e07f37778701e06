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
	for _, row := range []struct {
		name, text          string
		kind                kind
		address, under, key string // inBucket, account
	}{
		{"standard input and output", "-", Stream, "", "", ""},
		{"a path", "photos/a.jpg", LocalPath, "", "", ""},
		{"a path with a colon", "./photos:a", LocalPath, "", "", ""},
		{"an absolute path with a colon", "/photos:a", LocalPath, "", "", ""},
		{"a path above with a colon", "../photos:a", LocalPath, "", "", ""},
		{"a path with a colon after its first slash", "dir/photos:a", LocalPath, "", "", ""},
		{"a path with a scheme in its middle", "dir/s3://photos", LocalPath, "", "", ""},
		{"a bucket", "s3://photos", InBucket, s3, "", ""},
		{"a bucket with a slash", "s3://photos/", InBucket, s3, "", ""},
		{"a bucket with parameters", "s3://photos?region=eu-west-1", InBucket, s3 + query, "", ""},
		{"parameters after a slash", "s3://photos/?region=eu-west-1", InBucket, s3 + query, "", ""},
		{"a key", "s3://photos/2026/a.jpg?region=eu-west-1", InBucket, s3 + query, "", "2026/a.jpg"},
		{"a scheme in upper case", "S3://photos/a", InBucket, s3, "", "a"},
		{"a folder", "s3://photos/2026/", InBucket, s3, "", "2026/"},
		{"a key that is escaped", "s3://photos/100%25%20%3F%23%2F%C3%A9", InBucket, s3, "", "100% ?#/é"},
		{"a plus is a plus", "s3://photos/a+b", InBucket, s3, "", "a+b"},
		{"a key that is not escaped", "s3://photos/a b/é'\"&=:@", InBucket, s3, "", "a b/é'\"&=:@"},
		{"a key that begins with a slash", "s3://photos//a", InBucket, s3, "", "/a"},
		{"a prefix", "s3://photos?region=eu-west-1&prefix=users%2F42/", InBucket, s3 + query, "users/42/", ""},
		{"a prefix and a key", "s3://photos/a?prefix=a%2Bb+c/&region=eu-west-1", InBucket, s3 + query, "a+b c/", "a"},
		{"a prefix in a directory", "file:///srv/files?prefix=a/#b", InBucket, "file:///srv/files", "a/", "b"},
		{"a name whose address has a prefix", "user:k", InBucket, s3, "users/42/", "k"},
		{"a name whose address has a prefix and a folder", "folder:k", InBucket, s3, "users/42/", "k"},
		{"an account", "s3://?region=eu-west-1", Account, "s3://" + query, "", ""},
		{"the account of memory", "mem://", Account, "mem://", "", ""},
		{"a directory", "file:///srv/files", InBucket, "file:///srv/files", "", ""},
		{"a key in a directory", "file:///srv/files#a/b", InBucket, "file:///srv/files", "", "a/b"},
		{"a key and parameters", "file:///srv/my%20files?create=true#a%23?%25/", InBucket, "file:///srv/my%20files?create=true", "", "a#?%/"},
		{"an empty key", "file:///srv/files#", InBucket, "file:///srv/files", "", ""},
		{"a name", "photos:", InBucket, s3 + query, "", ""},
		{"the key of a name is literal", "photos:100%25 ?#/é", InBucket, s3 + query, "", "100%25 ?#/é"},
		{"a colon in it", "photos:a:b", InBucket, s3 + query, "", "a:b"},
		{"a name with a dash, of a folder", "my-photos:a", InBucket, "gs://photos", "people/", "a"},
		{"a name of a folder in a directory", "disk:a", InBucket, "file:///srv/files?create=true", "a#b/", "a"},
		{"a name with the name of a scheme", "file:a", InBucket, "mem://disk", "", "a"},
		{"a name of an account", "account:", Account, "s3://" + query, "", ""},
		{"a bucket of a named account", "account:photos", InBucket, "s3://photos" + query, "", ""},
		{"one with a slash", "account:photos/", InBucket, "s3://photos" + query, "", ""},
		{"a literal key of a named account", "account:photos/a/100%?.jpg", InBucket, "s3://photos" + query, "",
			"a/100%?.jpg"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := Parse(row.text, lookupTestNames)
			require.NoError(t, err)
			require.Equal(t, row.kind, l.Kind)
			switch row.kind {
			case LocalPath:
				require.Equal(t, row.text, l.Path)
			case InBucket, Account:
				require.Equal(t, [3]string{row.address, row.under, row.key}, [3]string{l.Address(), l.Prefix, l.Key})
			}
		})
	}
}

func TestInvalidLocations(t *testing.T) {
	for _, row := range []struct{ name, text, says string }{
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
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Parse(row.text, lookupTestNames)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, row.says)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// A single letter before a colon is a drive only on Windows.
func TestDriveLetters(t *testing.T) {
	for _, row := range []struct {
		name, text string
		windows    bool
		want       string
	}{
		{"a drive", `C:\photos`, true, ""},
		{"a drive with a slash", "c:/photos", true, ""},
		{"a path of a drive", "c:photos", true, ""},
		{"a path with a colon", `dir\a:b`, true, ""},
		{"a longer name", "cc:photos", true, "cc"},
		{"a letter elsewhere", "c:photos", false, "c"},
		{"a letter and a slash elsewhere", "c:/photos", false, "c"},
	} {
		t.Run(row.name, func(t *testing.T) {
			name, _, ok := cutName(row.text, row.windows)
			require.Equal(t, row.want, name)
			require.Equal(t, row.want != "", ok)
		})
	}
	if runtime.GOOS == "windows" {
		l, err := Parse("c:photos", lookupTestNames)
		require.NoError(t, err)
		require.Equal(t, LocalPath, l.Kind)
		return
	}
	l, err := Parse("c:photos", lookupTestNames)
	require.NoError(t, err)
	require.Equal(t, [2]string{"mem://c", "photos"}, [2]string{l.Address(), l.Key})
	_, err = Parse("d:photos", lookupTestNames)
	require.ErrorContains(t, err, "OMNIBUCKET_D is not set")
}

func TestAccountOfABucket(t *testing.T) {
	for _, row := range []struct{ name, text, address, bucket string }{
		{"in a cloud", "s3://photos?region=eu-west-1", "s3://?region=eu-west-1", "photos"},
		{"in memory", "mem://photos", "mem://", "photos"},
		{"a directory", "file:///srv/my%20files?create=true", "file:///srv/?create=true", "my files"},
		{"with a slash at its end", "file:///srv/files/", "file:///srv/", "files"},
		{"the root of the machine", "file:///", "", ""},
		{"a key", "s3://photos/a", "", ""},
		{"a name with a folder", "my-photos:", "", ""},
		{"an account", "mem://", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := Parse(row.text, lookupTestNames)
			require.NoError(t, err)
			address, bucket, err := l.SplitAccount()
			require.Equal(t, [2]string{row.address, row.bucket}, [2]string{address, bucket})
			if row.address == "" {
				require.ErrorIs(t, err, storage.InvalidArgument)
			}
		})
	}
}

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
			// The opened address has no key. The address with the escaped key leads
			// back to the same location.
			whole := l
			if l.Prefix != "" {
				whole = l.WithDefault("prefix", l.Prefix)
			}
			again := l.Scheme + "://" + l.Host + "/" + url.PathEscape(l.Key) + whole.Parameters()
			if l.Scheme == "file" {
				again = whole.Address() + "#" + url.PathEscape(l.Key)
			}
			same, err := Parse(again, lookupTestNames)
			require.NoError(t, err)
			same.HasWildcard, same.Pattern = l.HasWildcard, l.Pattern // an escape quotes
			require.Equal(t, l, same)
			require.NotContains(t, l.Address(), "#")
			require.NotContains(t, l.Host, "@")
		case l.Kind == InBucket:
			require.True(t, strings.HasSuffix(text, l.Key))
		}
	})
}
