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
	object := anObject("hello")
	controls := storage.Controls{Tags: someTags}
	tests := map[string]struct {
		answers []said
		do      func(d *objectDriver) error
		request string
	}{
		"Put": {[]said{created}, func(d *objectDriver) error {
			r := wiretest.Put("a", "hello")
			r.Controls = controls
			_, err := d.Put(t.Context(), r)
			return err
		}, "PUT /photos/a"},
		"CompleteParts": {[]said{created}, func(d *objectDriver) error {
			r := wiretest.Put("a", "hello")
			r.Controls = controls
			_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: r, Upload: newUploadID()})
			return err
		}, "PUT /photos/a?comp=blocklist"},
		"Copy": {[]said{object, accepted}, func(d *objectDriver) error {
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "from"), Key: "a", Properties: plainText, Controls: controls})
			return err
		}, "PUT /photos/a"},
		"Copy in blocks": {[]said{object, created}, func(d *objectDriver) error {
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "from"), Key: "a", Controls: controls})
			return err
		}, "PUT /photos/a?comp=blocklist"},
		"Compose": {[]said{object, created}, func(d *objectDriver) error {
			_, err := d.Compose(t.Context(), &driver.ComposeRequest{Sources: []driver.ObjectRef{sourceOf(d, "from")}, Key: "a", Controls: controls})
			return err
		}, "PUT /photos/a?comp=blocklist"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			require.NoError(t, tt.do(s.driver(t)))
			last := s.server.Last(t)
			require.Equal(t, tt.request, last.Line())
			requireTags(t, last.Header, someTags)
		})
	}
}

func TestTagRequests(t *testing.T) {
	s := newScript(t, said{Header: map[string]string{"Content-Type": "application/xml"},
		Body: `<?xml version="1.0"?><Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>empty</Key><Value /></Tag></TagSet></Tags>`})
	tags, err := s.driver(t).Tags(t.Context(), &driver.GetRequest{Key: "a", Version: versionAt(1), Length: -1})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v", "empty": ""}, tags)
	require.Equal(t, []string{"GET /photos/a?comp=tags&versionid=2026-11-20T12%3A00%3A01.0000000Z"}, s.server.Lines())

	for _, tags := range []map[string]string{{"k": "v"}, nil} {
		s = newScript(t, said{Status: http.StatusNoContent})
		require.NoError(t, s.driver(t).SetTags(t.Context(), &driver.ChangeRequest{Key: "a", Version: versionAt(1), Tags: tags}))
		require.Equal(t, "PUT /photos/a?comp=tags&versionid=2026-11-20T12%3A00%3A01.0000000Z", s.server.Last(t).Line())
		if tags == nil {
			require.NotContains(t, s.server.Last(t).Body, "<Key>")
		} else {
			require.Contains(t, s.server.Last(t).Body, "<Tag><Key>k</Key><Value>v</Value></Tag>")
		}
	}
}

// Reads return the number of tags.
func TestTagCountOfReads(t *testing.T) {
	s := newScript(t, anObject("x", "X-Ms-Tag-Count", "3"))
	d := s.driver(t)
	r := &driver.GetRequest{Key: "a", Length: -1}
	attrs, body, err := d.Get(t.Context(), r)
	require.NoError(t, err)

	require.NoError(t, body.Close())
	require.Equal(t, 3, attrs.TagCount)
	attrs, err = d.Head(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, 3, attrs.TagCount)
}

func TestTagErrors(t *testing.T) {
	tests := map[string]struct {
		answers []said
		want    storage.Code
	}{
		"a missing object":    {[]said{refusing(404, "BlobNotFound")}, storage.ObjectNotFound},
		"a missing container": {[]said{refusing(404, "ContainerNotFound")}, storage.BucketNotFound},
		"a role without tags": {[]said{refusing(403, "AuthorizationPermissionMismatch")}, storage.PermissionDenied},
		"a bad tag":           {[]said{refusing(400, "InvalidTag")}, storage.InvalidArgument},
		"a hierarchy":         {[]said{refusing(409, "FeatureNotSupportedForAccount")}, storage.Unsupported},
		"a lease":             {[]said{refusing(412, "LeaseIdMissing")}, storage.Locked},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newScript(t, tt.answers...).driver(t).Tags(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			err = newScript(t, tt.answers...).driver(t).SetTags(t.Context(), &driver.ChangeRequest{Key: "a"})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}

	s := newScript(t)
	_, err := s.driver(t).Tags(t.Context(), &driver.GetRequest{Key: "a", Version: "1", Length: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorIs(t, s.driver(t).SetTags(t.Context(), &driver.ChangeRequest{Key: `a\b`}), storage.InvalidArgument)
	require.Empty(t, s.server.Requests())
}

func TestTagsNeedAServiceThatHasThem(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"a hierarchical namespace": func(c *Config) {
			c.HierarchicalNamespace = true
		},
		"an older service": func(c *Config) {
			c.APIVersion = "2019-07-07"
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Zero(t, newScript(t).driver(t, change).Describe().Features&storage.ObjectTags)
		})
	}
	require.NotZero(t, newScript(t).driver(t).Describe().Features&storage.ObjectTags)
	require.NotZero(t, newScript(t).driver(t, func(c *Config) {
		c.APIVersion = tagsVersion
	}).Describe().Features&storage.ObjectTags)
}

const scannedTags = `<?xml version="1.0"?><Tags><TagSet><Tag><Key>Malware Scanning scan result</Key><Value>No threats found</Value></Tag>` +
	`<Tag><Key>Malware Scanning scan time UTC</Key><Value>2026-11-20 12:00:00Z</Value></Tag><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags>`

// Defender for Storage tags every upload. Copy succeeds although the role may not read tags, and leaves out those
// of Defender. https://github.com/Azure/Microsoft-Defender-for-Cloud/issues/900,
// https://github.com/microsoft/AzureStorageExplorer/issues/6709.
func TestCopyScannedObject(t *testing.T) {
	tests := map[string]struct {
		tags said
		want map[string]string
	}{
		"by a role that may read tags":     {said{Body: scannedTags}, map[string]string{"k": "v"}},
		"by a role that may not read tags": {refusing(403, "AuthorizationPermissionMismatch"), map[string]string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			s.server.Answer = func(r wiretest.Request) said {
				if r.Method == http.MethodHead {
					return anObject("hello", "X-Ms-Tag-Count", "3")
				}
				if strings.Contains(r.RawQuery, "comp=tags") {
					return tt.tags
				}
				return accepted
			}
			b := engine.New(s.driver(t))

			attrs, err := storage.Copy(t.Context(), b, "to", b, "from")
			require.NoError(t, err)
			require.Equal(t, len(tt.want), attrs.TagCount)
			require.Equal(t, "PUT /photos/to", s.server.Last(t).Line())
			requireTags(t, s.server.Last(t).Header, tt.want)

			tags, err := storage.Tags(t.Context(), b, "from")
			if tt.tags.Status != 0 {
				require.ErrorIs(t, err, storage.PermissionDenied)
				require.Equal(t, tagsHint, asError(err).Hint)
				return
			}
			require.NoError(t, err)
			require.Len(t, tags, 3, "Tags returns the verdict")
		})
	}
}

// A role or a signature may read tags and not write them. The copy then fails, and says why.
func TestCopyTagsMayNotBeWritten(t *testing.T) {
	for name, opts := range map[string][]storage.CopyOption{
		"by one request": nil,
		"in blocks":      {storage.WithContentType("text/html")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			s.server.Answer = func(r wiretest.Request) said {
				switch {
				case r.Method == http.MethodHead:
					return anObject("hello", "X-Ms-Tag-Count", "3")
				case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=tags"):
					return said{Body: scannedTags}
				case r.Header.Get("X-Ms-Tags") != "":
					return refusing(403, "AuthorizationPermissionMismatch")
				case strings.Contains(r.RawQuery, "comp=block"):
					return created
				}
				return accepted
			}
			b := engine.New(s.driver(t))

			_, err := storage.Copy(t.Context(), b, "to", b, "from", opts...)
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Equal(t, copiedTagsHint, asError(err).Hint)

			_, err = storage.Copy(t.Context(), b, "to", b, "from", append(opts, storage.WithTags(nil))...)
			require.NoError(t, err, "the hint helps")
		})
	}
}
