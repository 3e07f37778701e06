package main

import (
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
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
		{"standard input and output", "-", stream, "", "", ""},
		{"a path", "photos/a.jpg", localPath, "", "", ""},
		{"a path with a colon", "./photos:a", localPath, "", "", ""},
		{"an absolute path with a colon", "/photos:a", localPath, "", "", ""},
		{"a path above with a colon", "../photos:a", localPath, "", "", ""},
		{"a path with a colon after its first slash", "dir/photos:a", localPath, "", "", ""},
		{"a path with a scheme in its middle", "dir/s3://photos", localPath, "", "", ""},
		{"a bucket", "s3://photos", inBucket, s3, "", ""},
		{"a bucket with a slash", "s3://photos/", inBucket, s3, "", ""},
		{"a bucket with parameters", "s3://photos?region=eu-west-1", inBucket, s3 + query, "", ""},
		{"parameters after a slash", "s3://photos/?region=eu-west-1", inBucket, s3 + query, "", ""},
		{"a key", "s3://photos/2026/a.jpg?region=eu-west-1", inBucket, s3 + query, "", "2026/a.jpg"},
		{"a scheme in upper case", "S3://photos/a", inBucket, s3, "", "a"},
		{"a folder", "s3://photos/2026/", inBucket, s3, "", "2026/"},
		{"a key that is escaped", "s3://photos/100%25%20%3F%23%2F%C3%A9", inBucket, s3, "", "100% ?#/é"},
		{"a plus is a plus", "s3://photos/a+b", inBucket, s3, "", "a+b"},
		{"a key that is not escaped", "s3://photos/a b/é'\"&=:@", inBucket, s3, "", "a b/é'\"&=:@"},
		{"a key that begins with a slash", "s3://photos//a", inBucket, s3, "", "/a"},
		{"an account", "s3://?region=eu-west-1", account, "s3://" + query, "", ""},
		{"the account of memory", "mem://", account, "mem://", "", ""},
		{"a directory", "file:///srv/files", inBucket, "file:///srv/files", "", ""},
		{"a key in a directory", "file:///srv/files#a/b", inBucket, "file:///srv/files", "", "a/b"},
		{"a key and parameters", "file:///srv/my%20files?create=true#a%23?%25/", inBucket, "file:///srv/my%20files?create=true", "", "a#?%/"},
		{"an empty key", "file:///srv/files#", inBucket, "file:///srv/files", "", ""},
		{"a name", "photos:", inBucket, s3 + query, "", ""},
		{"the key of a name is literal", "photos:100%25 ?#/é", inBucket, s3 + query, "", "100%25 ?#/é"},
		{"a colon in it", "photos:a:b", inBucket, s3 + query, "", "a:b"},
		{"a name with a dash, of a folder", "my-photos:a", inBucket, "gs://photos", "people/", "a"},
		{"a name of a folder in a directory", "disk:a", inBucket, "file:///srv/files?create=true", "a#b/", "a"},
		{"a name with the name of a scheme", "file:a", inBucket, "mem://disk", "", "a"},
		{"a name of an account", "account:", account, "s3://" + query, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := parseLocation(row.text, lookupTestNames)
			require.NoError(t, err)
			require.Equal(t, row.kind, l.kind)
			switch row.kind {
			case localPath:
				require.Equal(t, row.text, l.path)
			case inBucket, account:
				require.Equal(t, [3]string{row.address, row.under, row.key}, [3]string{l.address(), l.prefix, l.key})
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
		{"a percent sign without an escape", "s3://photos/100%", "%25"},
		{"in a directory", "file:///srv#100%", "%25"},
		{"a name whose variable has no address", "bad:a", "OMNIBUCKET_BAD must hold an address"},
		{"a key of an account", "account:a", "must hold an address with a bucket"},
		{"a name that is not set", "videos:a", "OMNIBUCKET_VIDEOS is not set"},
		{"one without a key", "videos:", "OMNIBUCKET_VIDEOS is not set"},
		{"one with a dash", "my-videos:a/b", "OMNIBUCKET_MY_VIDEOS is not set"},
		{"one that is empty", "empty:a", "OMNIBUCKET_EMPTY must hold an address"},
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
			_, err := parseLocation(row.text, lookupTestNames)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, row.says)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestALetterIsADriveOnlyOnWindows(t *testing.T) {
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
		l, err := parseLocation("c:photos", lookupTestNames)
		require.NoError(t, err)
		require.Equal(t, localPath, l.kind)
		return
	}
	l, err := parseLocation("c:photos", lookupTestNames)
	require.NoError(t, err)
	require.Equal(t, [2]string{"mem://c", "photos"}, [2]string{l.address(), l.key})
	_, err = parseLocation("d:photos", lookupTestNames)
	require.ErrorContains(t, err, "OMNIBUCKET_D is not set")
}

func TestTheAccountOfABucket(t *testing.T) {
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
			l, err := parseLocation(row.text, lookupTestNames)
			require.NoError(t, err)
			address, bucket, err := l.splitAccount()
			require.Equal(t, [2]string{row.address, row.bucket}, [2]string{address, bucket})
			if row.address == "" {
				require.ErrorIs(t, err, storage.InvalidArgument)
			}
		})
	}
}

func FuzzLocation(f *testing.F) {
	for _, seed := range []string{"-", "", "s3://b/k?x=1", "file:///d?x=y#k%20", "photos:k", "C:/x", "s3://u:p@b", "mem://", "s3://b/%zz", "://", "a://b#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLocation(text, lookupTestNames)
		if err != nil {
			require.ErrorIs(t, err, storage.InvalidArgument)
			return
		}
		switch {
		case l.kind == localPath:
			require.Equal(t, text, l.path)
		case l.kind == inBucket && addressForm.MatchString(text):
			// The opened address has no key. The address with the escaped key leads
			// back to the same location.
			again := l.scheme + "://" + l.host + "/" + url.PathEscape(l.key) + l.parameters()
			if l.scheme == "file" {
				again = l.address() + "#" + url.PathEscape(l.key)
			}
			same, err := parseLocation(again, lookupTestNames)
			require.NoError(t, err)
			same.hasWildcard = l.hasWildcard // an escape quotes
			require.Equal(t, l, same)
			require.NotContains(t, l.address(), "#")
			require.NotContains(t, l.host, "@")
		case l.kind == inBucket:
			require.True(t, strings.HasSuffix(text, l.key))
		}
	})
}
