package azure

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// someTags have characters that a header must escape.
var someTags = map[string]string{"two words": "a=b:c", "k": "1+1"}

// requireTags requires that a request has the tags.
func requireTags(t *testing.T, r http.Header, want map[string]string) {
	t.Helper()
	query, err := url.ParseQuery(r.Get("X-Ms-Tags"))
	require.NoError(t, err)
	got := map[string]string{}
	for key := range query {
		got[key] = query.Get(key)
	}
	require.Equal(t, want, got)
}

// Every write sends its tags.
func TestTagHeadersOfWrites(t *testing.T) {
	object := objectReply("hello")
	controls := storage.Controls{Tags: someTags}
	tests := []struct {
		name    string
		answers []reply
		do      func(d *objectDriver) error
		request string
	}{
		{
			name:    "Put",
			answers: []reply{created},
			do: func(d *objectDriver) error {
				r := wiretest.Put("a", "hello")
				r.Controls = controls
				_, err := d.Put(t.Context(), r)
				return err
			},
			request: "PUT /photos/a",
		},
		{
			name:    "CompleteParts",
			answers: []reply{created},
			do: func(d *objectDriver) error {
				r := wiretest.Put("a", "hello")
				r.Controls = controls
				_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: r, Upload: newUploadID()})
				return err
			},
			request: "PUT /photos/a?comp=blocklist",
		},
		{
			name:    "Copy",
			answers: []reply{object, accepted},
			do: func(d *objectDriver) error {
				_, err := d.Copy(t.Context(), &driver.CopyRequest{
					Source:     sourceOf(d, "from"),
					Key:        "a",
					Properties: plainText,
					Controls:   controls,
				})
				return err
			},
			request: "PUT /photos/a",
		},
		{
			name:    "Copy in blocks",
			answers: []reply{object, created},
			do: func(d *objectDriver) error {
				_, err := d.Copy(t.Context(), &driver.CopyRequest{
					Source:   sourceOf(d, "from"),
					Key:      "a",
					Controls: controls,
				})
				return err
			},
			request: "PUT /photos/a?comp=blocklist",
		},
		{
			name:    "Compose",
			answers: []reply{object, created},
			do: func(d *objectDriver) error {
				_, err := d.Compose(t.Context(), &driver.ComposeRequest{
					Sources:  []driver.ObjectRef{sourceOf(d, "from")},
					Key:      "a",
					Controls: controls,
				})
				return err
			},
			request: "PUT /photos/a?comp=blocklist",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.answers...)
			require.NoError(t, tt.do(server.openDriver(t)))
			last := server.Last(t)
			require.Equal(t, tt.request, last.Line())
			requireTags(t, last.Header, someTags)
		})
	}
}

// Tags and SetTags of a version send its id. Tags returns the tags of the response, and SetTags sends the new ones.
func TestTagRequests(t *testing.T) {
	server := newCannedServer(t, reply{
		Header: map[string]string{"Content-Type": "application/xml"},
		Body: `<?xml version="1.0"?><Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag>` +
			`<Tag><Key>empty</Key><Value /></Tag></TagSet></Tags>`,
	})

	get := &driver.GetRequest{Key: "a", Version: versionAt(1), Length: -1}
	tags, err := server.openDriver(t).Tags(t.Context(), get)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v", "empty": ""}, tags)
	require.Equal(t, []string{"GET /photos/a?comp=tags&versionid=2026-11-20T12%3A00%3A01.0000000Z"},
		server.Lines())

	// SetTags sends the tags in the body.
	server = newCannedServer(t, reply{Status: http.StatusNoContent})
	change := &driver.ChangeRequest{Key: "a", Version: versionAt(1), Tags: map[string]string{"k": "v"}}
	require.NoError(t, server.openDriver(t).SetTags(t.Context(), change))
	require.Equal(t, "PUT /photos/a?comp=tags&versionid=2026-11-20T12%3A00%3A01.0000000Z",
		server.Last(t).Line())
	require.Contains(t, server.Last(t).Body, "<Tag><Key>k</Key><Value>v</Value></Tag>")
}

// SetTags without tags sends an empty set.
func TestSetNoTags(t *testing.T) {
	server := newCannedServer(t, reply{Status: http.StatusNoContent})
	d := server.openDriver(t)

	require.NoError(t, d.SetTags(t.Context(), &driver.ChangeRequest{Key: "a", Version: versionAt(1)}))
	require.Equal(t, "PUT /photos/a?comp=tags&versionid=2026-11-20T12%3A00%3A01.0000000Z",
		server.Last(t).Line())
	require.NotContains(t, server.Last(t).Body, "<Key>")
}

// Get and Head return the number of tags.
func TestTagCountOfReads(t *testing.T) {
	server := newCannedServer(t, objectReply("x", "X-Ms-Tag-Count", "3"))
	d := server.openDriver(t)
	r := &driver.GetRequest{Key: "a", Length: -1}

	attrs, body, err := d.Get(t.Context(), r)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, 3, attrs.TagCount)

	attrs, err = d.Head(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, 3, attrs.TagCount)
}

// Tags and SetTags fail with the same Code.
func TestTagErrors(t *testing.T) {
	tests := []struct {
		name    string
		answers []reply
		want    storage.Code
	}{
		{
			name:    "object missing",
			answers: []reply{errorReply(404, "BlobNotFound")},
			want:    storage.ObjectNotFound,
		},
		{
			name:    "container missing",
			answers: []reply{errorReply(404, "ContainerNotFound")},
			want:    storage.BucketNotFound,
		},
		{
			name:    "role without permission for tags",
			answers: []reply{errorReply(403, "AuthorizationPermissionMismatch")},
			want:    storage.PermissionDenied,
		},
		{name: "invalid tag", answers: []reply{errorReply(400, "InvalidTag")}, want: storage.InvalidArgument},
		{
			name:    "hierarchical namespace",
			answers: []reply{errorReply(409, "FeatureNotSupportedForAccount")},
			want:    storage.Unsupported,
		},
		{name: "object under a lease", answers: []reply{errorReply(412, "LeaseIdMissing")}, want: storage.Locked},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, tt.answers...).openDriver(t)
			_, err := d.Tags(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			d = newCannedServer(t, tt.answers...).openDriver(t)
			err = d.SetTags(t.Context(), &driver.ChangeRequest{Key: "a"})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// Tags of an invalid version, and SetTags of an invalid key, fail without a request.
func TestTagsInvalidArguments(t *testing.T) {
	server := newCannedServer(t)
	d := server.openDriver(t)

	_, err := d.Tags(t.Context(), &driver.GetRequest{Key: "a", Version: "1", Length: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
	err = d.SetTags(t.Context(), &driver.ChangeRequest{Key: `a\b`})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Empty(t, server.Requests())
}

// The driver declares ObjectTags unless the account has a hierarchical namespace or the service is
// too old.
func TestTagsNeedAServiceThatHasThem(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   bool
	}{
		{name: "the default", config: Config{}, want: true},
		{name: "the oldest service with tags", config: Config{APIVersion: tagsVersion}, want: true},
		{name: "an older service", config: Config{APIVersion: "2019-07-07"}},
		{name: "a hierarchical namespace", config: Config{HierarchicalNamespace: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t).openDriver(t, func(c *Config) {
				c.APIVersion = tt.config.APIVersion
				c.HierarchicalNamespace = tt.config.HierarchicalNamespace
			})
			require.Equal(t, tt.want, d.Describe().Features&storage.ObjectTags != 0)
		})
	}
}

// scannedTags are the tags of an object that Defender for Storage has scanned.
const scannedTags = `<?xml version="1.0"?><Tags><TagSet><Tag><Key>Malware Scanning scan result</Key><Value>No threats found</Value></Tag>` +
	`<Tag><Key>Malware Scanning scan time UTC</Key><Value>2026-11-20 12:00:00Z</Value></Tag><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags>`

// Copy leaves out the tags that Microsoft Defender for Storage adds to every uploaded object, and
// copies no tags if the role may not read them.
// https://github.com/Azure/Microsoft-Defender-for-Cloud/issues/900,
// https://github.com/microsoft/AzureStorageExplorer/issues/6709.
func TestCopyScannedObject(t *testing.T) {
	tests := []struct {
		name string
		tags reply
		want map[string]string
	}{
		{
			name: "by a role that may read tags",
			tags: reply{Body: scannedTags},
			want: map[string]string{"k": "v"},
		},
		{
			name: "by a role that may not read tags",
			tags: errorReply(403, "AuthorizationPermissionMismatch"),
			want: map[string]string{},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The source has three tags, two of them from Defender.
			server := newCannedServer(t)
			server.Answer = func(r wiretest.Request) reply {
				if r.Method == http.MethodHead {
					return objectReply("hello", "X-Ms-Tag-Count", "3")
				}
				if strings.Contains(r.RawQuery, "comp=tags") {
					return tt.tags
				}
				return accepted
			}
			bucket := engine.New(server.openDriver(t))

			attrs, err := storage.Copy(t.Context(), bucket, "to", bucket, "from")
			require.NoError(t, err)
			require.Equal(t, len(tt.want), attrs.TagCount)
			require.Equal(t, "PUT /photos/to", server.Last(t).Line())
			requireTags(t, server.Last(t).Header, tt.want)

			// Tags itself leaves out nothing, and fails if the role may not read tags.
			tags, err := storage.Tags(t.Context(), bucket, "from")
			mayReadTags := tt.tags.Body == scannedTags
			if !mayReadTags {
				require.ErrorIs(t, err, storage.PermissionDenied)
				require.Equal(t, tagsHint, asError(err).Hint)
				return
			}
			require.NoError(t, err)
			require.Len(t, tags, 3, "Tags must return the verdict, too")
		})
	}
}

// A copy fails, and says why, if the role or the signature may read tags but not write them.
func TestCopyTagsMayNotBeWritten(t *testing.T) {
	for name, opts := range map[string][]storage.CopyOption{
		"by one request": nil,
		"in blocks":      {storage.WithContentType("text/html")},
	} {
		t.Run(name, func(t *testing.T) {
			// The source has tags, and the server refuses each write that has tags.
			server := newCannedServer(t)
			server.Answer = func(r wiretest.Request) reply {
				switch {
				case r.Method == http.MethodHead:
					return objectReply("hello", "X-Ms-Tag-Count", "3")
				case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=tags"):
					return reply{Body: scannedTags}
				case r.Header.Get("X-Ms-Tags") != "":
					return errorReply(403, "AuthorizationPermissionMismatch")
				case strings.Contains(r.RawQuery, "comp=block"):
					return created
				}
				return accepted
			}
			bucket := engine.New(server.openDriver(t))

			_, err := storage.Copy(t.Context(), bucket, "to", bucket, "from", opts...)
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Equal(t, copiedTagsHint, asError(err).Hint)

			// Without tags, the copy succeeds.
			_, err = storage.Copy(t.Context(), bucket, "to", bucket, "from",
				append(opts, storage.WithTags(nil))...)
			require.NoError(t, err, "the copy must succeed as the hint says")
		})
	}
}
