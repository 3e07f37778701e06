package azure

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

const testUpload = "0123456789abcdef0123456789abcdef-fedcba9876543210fedcba9876543210"

// The parts of an open upload are encrypted as their object is. The emulator ignores encryption.
func TestPutPartEncryption(t *testing.T) {
	key := customerkey.New("WithCustomerKey", bytes.Repeat([]byte("k"), 32))
	natives := []any{key, accessTier("Archive")}
	s := newScript(t, created, anObject("")) // the part, the marker
	d := s.driver(t)

	part, err := d.PutPart(t.Context(), &driver.PartRequest{Key: "a", Upload: testUpload, Number: 7, Body: strings.NewReader("hello"), Size: 5, CRC32C: wiretest.CRC32C("hello"), Native: natives})
	require.NoError(t, err)
	require.Equal(t, etag, part.Tag)

	put := s.server.Requests()[0]
	require.Equal(t, "/photos/.omnibucket//parts/0123456789abcdef0123456789abcdef/0-000007", strings.ReplaceAll(put.Path, "%2F", "/"))
	require.Equal(t, key.SHA256(), put.Header.Get("X-Ms-Encryption-Key-Sha256"))
	require.Empty(t, put.Header.Get("X-Ms-Access-Tier"), "an archived part could not be copied")
	require.Equal(t, "V0JSBnCFdzM=", put.Header.Get("X-Ms-Content-Crc64"))

	signedURL, err := d.SignPart(t.Context(), &driver.SignPartRequest{Key: "a", Upload: testUpload, Number: 7, TTL: time.Minute, Size: -1, Native: natives})
	require.NoError(t, err)
	require.Equal(t, key.SHA256(), signedURL.Header.Get("X-Ms-Encryption-Key-Sha256"))
	require.Empty(t, signedURL.Header.Get("X-Ms-Access-Tier"))
	require.NotContains(t, signedURL.URL, "fedcba", "the secret of the upload")
}

// If another write to the key drops the copied blocks, CompleteParts fails as retryable. It keeps the parts, so
// that it can be repeated.
func TestCompletePartsRepeated(t *testing.T) {
	s := newScript(t,
		anObject(""), created, // the marker, the block
		anObject("old"), created, // the decision over the object
		refusing(http.StatusBadRequest, codeBlocksDropped),
		anObject("old"), anObject("old"), created, // which is the same: the decision is taken back
	)
	d := s.driver(t)
	_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "a", Size: 5, AnyOrder: true},
		Upload: testUpload,
		Parts:  []driver.Part{{Number: 1, Tag: etag, Size: 5}},
	})

	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.True(t, e.Retryable)
	require.NotEqual(t, http.StatusConflict, e.Status, "the engine must not begin another upload")

	requests := s.server.Requests()
	require.Len(t, requests, 8, "no part is removed")
	require.Equal(t, etag, requests[1].Header.Get("X-Ms-Source-If-Match"))

	for i, decided := range map[int]bool{3: true, 7: false} {
		marker := requests[i]
		require.Contains(t, marker.Path, "-begun")
		require.Equal(t, etag, marker.Header.Get("If-Match"))
		require.Equal(t, decided, marker.Header.Get("X-Ms-Meta-Omnibucketdecision") != "")
	}
	require.Equal(t, etag, requests[4].Header.Get("If-Match"))
}

// AbortParts ends the upload before it removes the parts.
func TestAbortPartsEndsUploadFirst(t *testing.T) {
	s := newScript(t, anObject(""), refusing(http.StatusForbidden, "AuthorizationFailure"))
	require.Error(t, s.driver(t).AbortParts(t.Context(), "a", testUpload))
	require.Len(t, s.server.Requests(), 2, "the marker is read, and removed first")
	require.Equal(t, http.MethodDelete, s.server.Requests()[1].Method)
	require.Contains(t, s.server.Requests()[1].Path, "-begun")
}

// Parts are copied in at most as many blocks as a blob may have.
func TestPartRangesMaxBlocks(t *testing.T) {
	d := newScript(t).driver(t)
	d.copier.block = 1
	u, err := parseOpenUpload(testUpload)
	require.NoError(t, err)
	parts := []driver.Part{{Number: 1, Size: maxBlocks}, {Number: 2}, {Number: 3, Size: 5}}

	ranges, size, err := d.uploads.partRanges(t.Context(), u, &driver.CompleteRequest{Put: &driver.PutRequest{Key: "a"}, Parts: parts})
	require.NoError(t, err)
	require.Equal(t, int64(maxBlocks+5), size)
	require.Len(t, ranges, 2)
	require.Equal(t, int64(maxBlocks), ranges[0].bytes.Count)

	ranges, _, err = d.uploads.partRanges(t.Context(), u, &driver.CompleteRequest{Put: &driver.PutRequest{Key: "a"}, Parts: parts[1:]})
	require.NoError(t, err)
	require.Len(t, ranges, 5)
}

// parseOpenUpload refuses names that are not those of open uploads.
func TestParseOpenUpload(t *testing.T) {
	for _, name := range []string{"", "../" + testUpload, testUpload + "/", strings.ToUpper(testUpload), newUploadID()} {
		_, err := parseOpenUpload(name)
		require.ErrorIs(t, err, storage.InvalidArgument, name)
	}
	require.True(t, isOpenUpload(testUpload[:32]), "as ListUploads tells it")
}

// If Azure may not read a part (private endpoint, SAS policy, old version), CompleteParts sends its bytes itself.
// https://github.com/Azure/azure-storage-python/issues/720,
// https://github.com/Azure/azure-sdk-for-java/issues/24881.
func TestCompletePartsServiceMayNotRead(t *testing.T) {
	unverified := refusing(http.StatusForbidden, codeUnverified)
	tests := map[string]struct {
		refused said
		part    func(r wiretest.Request) said
		block   map[string]string
		want    storage.Code
	}{
		"a part":                        {refused: unverified, want: ""},
		"an account that is not public": {refused: refusing(http.StatusConflict, "PublicAccessNotPermitted"), want: ""},
		"a part that was replaced": {
			refused: unverified,
			part:    func(wiretest.Request) said { return refusing(http.StatusPreconditionFailed, "ConditionNotMet") },
			want:    storage.Changed,
		},
		"a part that is missing": {
			refused: unverified,
			part:    func(wiretest.Request) said { return refusing(http.StatusNotFound, "BlobNotFound") },
			want:    storage.Changed,
		},
		"another block than the one sent": {
			refused: unverified,
			block:   map[string]string{"X-Ms-Content-Crc64": "AAAAAAAAAAA="},
			want:    storage.ChecksumMismatch,
		},
		"the block that was sent": {refused: unverified, block: map[string]string{"X-Ms-Content-Crc64": "V0JSBnCFdzM="}, want: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var blocks []string
			s := newScript(t)
			s.server.Answer = func(r wiretest.Request) said {
				switch {
				case r.Header.Get("X-Ms-Copy-Source") != "":
					return tt.refused
				case strings.Contains(r.RawQuery, "comp=block&") || strings.HasSuffix(r.RawQuery, "comp=block"):
					blocks = append(blocks, r.Body)
					return said{Status: http.StatusCreated, Header: tt.block}
				case r.Method == http.MethodGet && strings.Contains(r.RawQuery, "comp=list"):
					return said{Body: `<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>`}
				case r.Method == http.MethodGet && tt.part != nil:
					return tt.part(r)
				case r.Method == http.MethodGet:
					require.Equal(t, etag, r.Header.Get("If-Match"))
					return said{Status: http.StatusPartialContent, Body: "hello", Header: map[string]string{"ETag": etag, "Last-Modified": aTime, "Content-Range": "bytes 0-4/5", "Content-Length": "5"}}
				case r.Method == http.MethodPut:
					return created
				case r.Method == http.MethodDelete:
					return accepted
				case strings.Contains(r.Path, "-begun"):
					return anObject("")
				}
				return refusing(http.StatusNotFound, "BlobNotFound") // there is no object yet
			}
			if tt.part == nil {
				object := s.server.Answer
				s.server.Answer = func(r wiretest.Request) said {
					if r.Method == http.MethodHead && !strings.Contains(r.Path, "-begun") && strings.Contains(r.Path, "parts") {
						return anObject("hello")
					}
					return object(r)
				}
			}

			_, err := s.driver(t).CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    &driver.PutRequest{Key: "a", Size: 5, AnyOrder: true},
				Upload: testUpload,
				Parts:  []driver.Part{{Number: 1, Tag: etag, Size: 5}},
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			if tt.want == "" {
				require.Equal(t, []string{"hello"}, blocks)
			}
		})
	}
}

// On an account that keeps versions, CompleteParts also removes the versions of the parts.
// https://learn.microsoft.com/azure/storage/blobs/versioning-overview.
func TestCompletePartsRemovesVersions(t *testing.T) {
	const prefix = "/photos/.omnibucket%2F%2Fparts%2F0123456789abcdef0123456789abcdef%2F"
	blob := func(name, version string, current bool) string {
		query := ""
		if current {
			query = "<IsCurrentVersion>true</IsCurrentVersion>"
		}
		if version != "" {
			query += "<VersionId>" + version + "</VersionId>"
		}
		return "<Blob><Name>.omnibucket//parts/0123456789abcdef0123456789abcdef/" + name + "</Name>" + query + "<Properties><Content-Length>5</Content-Length></Properties></Blob>"
	}
	const one, two = "2026-11-20T12:00:01.0000000Z", "2026-11-20T12:00:02.0000000Z"

	tests := map[string]struct {
		listed  string
		version said // the response to the removal of a version
		want    []string
		code    storage.Code
	}{
		"an account without versions": {listed: blob("0-000001", "", false), version: accepted, want: []string{"0-000001"}},
		"an account with versions": {
			listed:  blob("-begun", one, false) + blob("0-000001", one, false) + blob("0-000001", two, true),
			version: accepted,
			want:    []string{"-begun?versionid=" + one, "0-000001", "0-000001?versionid=" + one, "0-000001?versionid=" + two},
		},
		"a role that may remove no versions": {
			listed:  blob("0-000001", one, true),
			version: refusing(403, "AuthorizationPermissionMismatch"),
			want:    []string{"0-000001", "0-000001?versionid=" + one},
		},
		"a container with a default retention": {
			listed:  blob("0-000001", one, true),
			version: refusing(409, codeImmutable),
			want:    []string{"0-000001", "0-000001?versionid=" + one},
		},
		"a service that is busy": {
			listed:  blob("0-000001", one, true),
			version: refusing(503, "ServerBusy"),
			want:    []string{"0-000001", "0-000001?versionid=" + one},
			code:    storage.RateLimited,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			s.server.Answer = func(r wiretest.Request) said {
				switch {
				case r.Method == http.MethodHead:
					return anObject("", "X-Ms-Meta-Omnibucketkey", "YQ")
				case r.Method == http.MethodGet:
					return said{Body: "<EnumerationResults><Blobs>" + tt.listed + "</Blobs><NextMarker/></EnumerationResults>"}
				case strings.Contains(r.RawQuery, "versionid"):
					return tt.version
				}
				return accepted
			}

			err := s.driver(t).uploads.remove(t.Context(), &openUpload{prefix: componentsPrefix + testUpload[:32] + "/"})
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			lines := s.server.Lines()
			require.Equal(t, "DELETE "+prefix+"-begun", strings.ReplaceAll(lines[0], "/parts/", "%2Fparts%2F"))
			require.Contains(t, lines[1], "include=versions")

			var removals []string
			for _, line := range lines[2:] {
				line, err := url.PathUnescape(line)
				require.NoError(t, err)
				removals = append(removals, line[strings.LastIndex(line, "/")+1:])
			}
			slices.Sort(removals)
			require.Equal(t, tt.want, removals)
		})
	}

	s := newScript(t, accepted, said{Body: `<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>`})
	require.NoError(t, s.driver(t, func(c *Config) {
		c.APIVersion = "2019-07-07"
	}).uploads.remove(t.Context(), &openUpload{prefix: componentsPrefix}))
	require.NotContains(t, s.server.Last(t).RawQuery, "versions", "an older service refuses to list versions")
}

// BeginUpload fails with Unsupported if a container-level policy or legal hold keeps blobs from being removed.
// https://learn.microsoft.com/azure/storage/blobs/immutable-container-level-worm-policies.
func TestBeginUploadImmutableContainer(t *testing.T) {
	properties := func(pairs ...string) said {
		p := said{Header: map[string]string{"ETag": etag, "Last-Modified": aTime}}
		for _, name := range pairs {
			p.Header[name] = "true"
		}
		return p
	}
	tests := map[string]struct {
		container said
		want      storage.Code
	}{
		"no policy":              {properties(), ""},
		"a policy of versions":   {properties("X-Ms-Has-Immutability-Policy", "X-Ms-Immutable-Storage-With-Versioning-Enabled"), ""},
		"a policy":               {properties("X-Ms-Has-Immutability-Policy"), storage.Unsupported},
		"a legal hold":           {properties("X-Ms-Has-Legal-Hold"), storage.Unsupported},
		"a credential for blobs": {refusing(http.StatusForbidden, "AuthorizationPermissionMismatch"), ""},
		"no container":           {refusing(http.StatusNotFound, "ContainerNotFound"), storage.BucketNotFound},
		"a service that is busy": {refusing(http.StatusServiceUnavailable, "ServerBusy"), storage.RateLimited},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.container, created)
			d := s.driver(t)
			_, err := d.BeginParts(t.Context(), &driver.PutRequest{Key: "a", AnyOrder: true})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, "GET /photos?restype=container", s.server.Lines()[0])
			if tt.want != "" {
				require.Len(t, s.server.Lines(), 1, "no bytes are sent")
			}
			if tt.container.Status == 0 && tt.want == "" {
				_, err = d.BeginParts(t.Context(), &driver.PutRequest{Key: "a", AnyOrder: true})
				require.NoError(t, err)
				require.Len(t, s.server.Lines(), 3, "it is asked once")
			}
		})
	}
}
