package azure

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// service opens the account of the server. It makes one attempt at each request.
func (s *routedServer) service(t *testing.T) storage.Service {
	t.Helper()
	config := Config{Endpoint: s.URL + "/" + testAccount, Key: testKey}
	account, err := NewService(t.Context(), config, oneAttempt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	return account
}

// serviceDriver opens the account of the server without the engine.
func (s *routedServer) serviceDriver(t *testing.T, c Config) driver.ServiceDriver {
	t.Helper()
	c.Endpoint = s.URL + "/" + testAccount
	c.Key = testKey
	d, err := NewServiceDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// These are the requests of the service driver, as the routedServer records them.
const (
	createRequest     = "PUT /photos?restype=container"
	getRequest        = "GET /photos?restype=container"
	deleteRequest     = "DELETE /photos?restype=container"
	getAccessRequest  = "GET /photos?comp=acl&restype=container"
	setAccessRequest  = "PUT /photos?comp=acl&restype=container"
	getAccountRequest = "GET /?comp=properties&restype=service"
	setAccountRequest = "PUT /?comp=properties&restype=service"
)

// noRules is the response of an account without CORS rules.
var noRules = routedReply{
	status: http.StatusOK,
	body:   `<StorageServiceProperties><Cors/></StorageServiceProperties>`,
}

// twoRulesXML has the properties of an account with two CORS rules. Spaces and empty elements are as Azure sends
// them.
const twoRulesXML = `<StorageServiceProperties><Logging><Version>1.0</Version></Logging><Cors>` +
	`<CorsRule><AllowedOrigins>https://a.example, https://b.example</AllowedOrigins>` +
	`<AllowedMethods>GET,PUT</AllowedMethods><AllowedHeaders>x-ms-*</AllowedHeaders>` +
	`<ExposedHeaders></ExposedHeaders><MaxAgeInSeconds>60</MaxAgeInSeconds></CorsRule>` +
	`<CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET</AllowedMethods>` +
	`<AllowedHeaders/><ExposedHeaders>ETag</ExposedHeaders><MaxAgeInSeconds>0</MaxAgeInSeconds></CorsRule>` +
	`</Cors></StorageServiceProperties>`

// twoRules are the CORS rules of twoRulesXML.
var twoRules = []storage.CORSRule{
	{
		Origins:        []string{"https://a.example", "https://b.example"},
		Methods:        []string{"GET", "PUT"},
		AllowedHeaders: []string{"x-ms-*"},
		MaxAge:         time.Minute,
	},
	{
		Origins:        []string{"*"},
		Methods:        []string{"GET"},
		ExposedHeaders: []string{"ETag"},
	},
}

// CreateBucket takes one request, which sets the public access.
func TestCreateBucketRequests(t *testing.T) {
	created := routedReply{status: http.StatusCreated}
	tests := []struct {
		name       string
		opts       []storage.BucketOption
		response   routedReply
		wantAccess string // x-ms-blob-public-access
		wantInfo   storage.BucketInfo
		want       storage.Code
	}{
		{name: "no option", response: created},
		{
			name:     "WithPublicAccess(false)",
			opts:     []storage.BucketOption{storage.WithPublicAccess(false)},
			response: created,
		},
		{
			name:       "WithPublicAccess(true)",
			opts:       []storage.BucketOption{storage.WithPublicAccess(true)},
			response:   created,
			wantAccess: "blob",
			wantInfo:   storage.BucketInfo{Public: true},
		},
		{
			name:     "WithCORS without rules",
			opts:     []storage.BucketOption{storage.WithCORS()},
			response: created,
		},
		{
			name:     "container exists",
			response: routedReply{status: http.StatusConflict, code: "ContainerAlreadyExists"},
			want:     storage.BucketExists,
		},
		{
			name:     "container being deleted",
			response: routedReply{status: http.StatusConflict, code: "ContainerBeingDeleted"},
			want:     storage.Unavailable,
		},
		{
			name:       "account refuses public access",
			opts:       []storage.BucketOption{storage.WithPublicAccess(true)},
			response:   routedReply{status: http.StatusConflict, code: "PublicAccessNotPermitted"},
			wantAccess: "blob",
			want:       storage.PermissionDenied,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRoutedServer(t, map[string]routedReply{createRequest: tt.response})
			info, err := server.service(t).CreateBucket(t.Context(), "photos", tt.opts...)
			require.Equal(t, []string{createRequest}, server.requests())
			require.Equal(t, tt.wantAccess, server.header(createRequest).Get("X-Ms-Blob-Public-Access"))

			if tt.want != "" {
				require.ErrorIs(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			tt.wantInfo.Name = "photos"
			tt.wantInfo.Provider = "azure"
			require.Equal(t, tt.wantInfo, *info)
		})
	}
}

// The error of a refused CreateBucket has a hint.
func TestCreateBucketHints(t *testing.T) {
	tests := []struct{ name, code, wantHint string }{
		{name: "the name is not yet free", code: "ContainerBeingDeleted", wantHint: "being deleted"},
		{name: "the account refuses public access", code: "PublicAccessNotPermitted", wantHint: "allowBlobPublicAccess"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRoutedServer(t,
				map[string]routedReply{createRequest: {status: http.StatusConflict, code: tt.code}})
			_, err := server.service(t).CreateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
			require.ErrorContains(t, err, tt.wantHint)
		})
	}
}

// CreateBucket sets the CORS rules of the account before it creates the bucket. If it cannot set
// them, there is no bucket to remove.
func TestCreateBucketWithCORS(t *testing.T) {
	server := newRoutedServer(t, map[string]routedReply{
		getRequest:        {status: http.StatusNotFound, code: "ContainerNotFound"},
		setAccountRequest: {status: http.StatusAccepted},
		createRequest:     {status: http.StatusCreated},
	})
	info, err := server.service(t).CreateBucket(t.Context(), "photos", storage.WithCORS(twoRules...))
	require.NoError(t, err)
	require.Equal(t, twoRules, info.CORS)
	require.Equal(t, []string{getRequest, setAccountRequest, createRequest}, server.requests())
}

// CreateBucket does not change the CORS rules of the account if the bucket exists.
func TestCreateBucketWithCORSExisting(t *testing.T) {
	server := newRoutedServer(t, map[string]routedReply{getRequest: {status: http.StatusOK}})
	_, err := server.service(t).CreateBucket(t.Context(), "photos", storage.WithCORS(twoRules...))
	require.ErrorIs(t, err, storage.BucketExists)
	require.Equal(t, []string{getRequest}, server.requests())
}

// CreateBucket creates no bucket if the CORS rules cannot be set.
func TestCreateBucketWithCORSRefused(t *testing.T) {
	server := newRoutedServer(t, map[string]routedReply{
		getRequest:        {status: http.StatusNotFound, code: "ContainerNotFound"},
		setAccountRequest: {status: http.StatusForbidden, code: "AuthorizationPermissionMismatch"},
	})
	_, err := server.service(t).CreateBucket(t.Context(), "photos", storage.WithCORS(twoRules...))
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Equal(t, []string{getRequest, setAccountRequest}, server.requests())
}

// WithCORS sends only the CORS rules of the account, so Azure keeps the account's other properties.
func TestWithCORSRequests(t *testing.T) {
	tests := []struct {
		name     string
		rules    []storage.CORSRule
		wantBody string
	}{
		{
			name:  "two rules",
			rules: twoRules,
			wantBody: `<StorageServiceProperties><Cors>` +
				`<CorsRule><AllowedHeaders>x-ms-*</AllowedHeaders><AllowedMethods>GET,PUT</AllowedMethods>` +
				`<AllowedOrigins>https://a.example,https://b.example</AllowedOrigins>` +
				`<ExposedHeaders></ExposedHeaders><MaxAgeInSeconds>60</MaxAgeInSeconds></CorsRule>` +
				`<CorsRule><AllowedHeaders></AllowedHeaders><AllowedMethods>GET</AllowedMethods>` +
				`<AllowedOrigins>*</AllowedOrigins>` +
				`<ExposedHeaders>ETag</ExposedHeaders><MaxAgeInSeconds>0</MaxAgeInSeconds></CorsRule>` +
				`</Cors></StorageServiceProperties>`,
		},
		{
			name:     "no rule, which removes all",
			wantBody: `<StorageServiceProperties><Cors></Cors></StorageServiceProperties>`,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRoutedServer(t, map[string]routedReply{
				getRequest:        {status: http.StatusOK},
				setAccountRequest: {status: http.StatusAccepted},
				getAccountRequest: {status: http.StatusOK, body: twoRulesXML},
			})

			info, err := server.service(t).UpdateBucket(t.Context(), "photos", storage.WithCORS(tt.rules...))
			require.NoError(t, err)
			require.Equal(t, tt.wantBody, strings.TrimPrefix(server.body(setAccountRequest), xml.Header))
			require.Equal(t, twoRules, info.CORS, "the rules must be read back")
		})
	}
}

// UpdateBucket of a missing bucket does not change the CORS rules, which belong to the whole
// account.
func TestUpdateBucketOfAMissingBucket(t *testing.T) {
	server := newRoutedServer(t,
		map[string]routedReply{getRequest: {status: http.StatusNotFound, code: "ContainerNotFound"}})

	_, err := server.service(t).UpdateBucket(t.Context(), "photos",
		storage.WithCORS(),
		storage.WithPublicAccess(true))
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.Equal(t, []string{getRequest}, server.requests())
}

// partnerPolicies are the stored access policies of a container.
const partnerPolicies = `<SignedIdentifiers><SignedIdentifier><Id>partner</Id><AccessPolicy>` +
	`<Start>2026-01-01T00:00:00.0000000Z</Start><Expiry>2027-01-01T00:00:00.0000000Z</Expiry>` +
	`<Permission>rl</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>`

// UpdateBucket changes the public access of a container and keeps its stored policies. If the access is as requested
// already, it writes nothing.
func TestWithPublicAccessRequests(t *testing.T) {
	const modified = "Wed, 04 Mar 2026 05:06:07 GMT"
	tests := []struct {
		name       string
		current    string // x-ms-blob-public-access; "" for no access
		public     bool
		wantWrite  bool
		wantAccess string // x-ms-blob-public-access, as it is written; "" for no access
	}{
		{name: "made public", public: true, wantWrite: true, wantAccess: "blob"},
		{name: "made private", current: "blob", wantWrite: true},
		{name: "made private, listing was public, too", current: "container", wantWrite: true},
		{name: "public already", current: "blob", public: true},
		{name: "public already, listing, too", current: "container", public: true},
		{name: "private already"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := map[string]string{"Last-Modified": modified}
			if tt.current != "" {
				header["X-Ms-Blob-Public-Access"] = tt.current
			}
			server := newRoutedServer(t, map[string]routedReply{
				getRequest:        {status: http.StatusOK, header: header},
				getAccountRequest: noRules,
				getAccessRequest:  {status: http.StatusOK, header: header, body: partnerPolicies},
				setAccessRequest:  {status: http.StatusOK},
			})

			_, err := server.service(t).UpdateBucket(t.Context(), "photos", storage.WithPublicAccess(tt.public))
			require.NoError(t, err)
			if !tt.wantWrite {
				require.NotContains(t, server.requests(), setAccessRequest)
				return
			}

			require.Equal(t, []string{
				getRequest, getAccessRequest, setAccessRequest, getRequest, getAccountRequest,
			}, server.requests())
			written := server.header(setAccessRequest)
			require.Equal(t, tt.wantAccess, written.Get("X-Ms-Blob-Public-Access"))
			require.Equal(t, modified, written.Get("If-Unmodified-Since"))

			// The stored policies are kept.
			policies := server.body(setAccessRequest)
			require.Contains(t, policies, "<Id>partner</Id>")
			require.Contains(t, policies, "<Permission>rl</Permission>")
			require.Contains(t, policies, "<Start>2026-01-01T00:00:00Z</Start>")
			require.Contains(t, policies, "<Expiry>2027-01-01T00:00:00Z</Expiry>")
		})
	}
}

// UpdateBucket fails with the Code of the reason if a change of public access is refused.
func TestWithPublicAccessErrors(t *testing.T) {
	tests := []struct {
		name   string
		answer routedReply
		want   storage.Code
	}{
		{
			name:   "the account forbids it",
			answer: routedReply{status: http.StatusConflict, code: "PublicAccessNotPermitted"},
			want:   storage.PermissionDenied,
		},
		{
			name:   "another client changed the access meanwhile",
			answer: routedReply{status: http.StatusPreconditionFailed, code: "ConditionNotMet"},
			want:   storage.Unavailable,
		},
		{
			name:   "the credential may not change it",
			answer: routedReply{status: http.StatusForbidden, code: "AuthorizationPermissionMismatch"},
			want:   storage.PermissionDenied,
		},
		{
			name:   "the container was removed meanwhile",
			answer: routedReply{status: http.StatusNotFound, code: "ContainerNotFound"},
			want:   storage.BucketNotFound,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRoutedServer(t, map[string]routedReply{
				getRequest:       {status: http.StatusOK},
				getAccessRequest: {status: http.StatusOK, body: partnerPolicies},
				setAccessRequest: tt.answer,
			})
			_, err := server.service(t).UpdateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// UpdateBucket succeeds even if the settings cannot be read after the change.
func TestUpdateBucketReadFails(t *testing.T) {
	server := newRoutedServer(t, map[string]routedReply{
		getRequest:        {status: http.StatusOK},
		getAccessRequest:  {status: http.StatusOK, body: `<SignedIdentifiers/>`},
		setAccessRequest:  {status: http.StatusOK},
		getAccountRequest: {status: http.StatusServiceUnavailable, code: "ServerBusy"},
	})
	s := server.service(t)

	info, err := s.UpdateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
	require.NoError(t, err)
	require.Equal(t, "photos", info.Name)

	// A call without a change only reads the settings, and so it fails.
	_, err = s.UpdateBucket(t.Context(), "photos")
	require.ErrorIs(t, err, storage.RateLimited)
}

// BucketInfo combines the properties of the container and the CORS rules of the account. Without permission to read the
// rules, it fails with PermissionDenied, but still returns what it has read.
func TestBucketInfoRequests(t *testing.T) {
	tests := []struct {
		name      string
		container routedReply         // the response with the properties of the container
		account   routedReply         // the response with the properties of the account
		wantInfo  *storage.BucketInfo // without name and provider; nil if there is none
		want      storage.Code
	}{
		{
			name:      "private",
			container: routedReply{status: http.StatusOK},
			account:   noRules,
			wantInfo:  &storage.BucketInfo{},
		},
		{
			name: "public, with the account's rules",
			container: routedReply{
				status: http.StatusOK,
				header: map[string]string{"X-Ms-Blob-Public-Access": "blob"},
			},
			account:  routedReply{status: http.StatusOK, body: twoRulesXML},
			wantInfo: &storage.BucketInfo{Public: true, CORS: twoRules},
		},
		{
			name: "version-level immutability",
			container: routedReply{
				status: http.StatusOK,
				header: map[string]string{"X-Ms-Immutable-Storage-With-Versioning-Enabled": "true"},
			},
			account:  noRules,
			wantInfo: &storage.BucketInfo{ObjectLock: true},
		},
		{
			name: "public, with its listing",
			container: routedReply{
				status: http.StatusOK,
				header: map[string]string{"X-Ms-Blob-Public-Access": "container"},
			},
			account:  noRules,
			wantInfo: &storage.BucketInfo{Public: true},
		},
		{
			name:      "no permission to read the rules",
			container: routedReply{status: http.StatusOK},
			account:   routedReply{status: http.StatusForbidden, code: "AuthorizationPermissionMismatch"},
			wantInfo:  &storage.BucketInfo{Unread: []string{"CORS", "SoftDelete"}},
			want:      storage.PermissionDenied,
		},
		{
			name:      "service busy",
			container: routedReply{status: http.StatusOK},
			account:   routedReply{status: http.StatusServiceUnavailable, code: "ServerBusy"},
			want:      storage.RateLimited,
		},
		{
			name:      "container missing",
			container: routedReply{status: http.StatusNotFound},
			account:   noRules,
			want:      storage.BucketNotFound,
		},
		{
			name:      "container being deleted",
			container: routedReply{status: http.StatusConflict, code: "ContainerBeingDeleted"},
			account:   noRules,
			want:      storage.BucketNotFound,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRoutedServer(t, map[string]routedReply{getRequest: tt.container, getAccountRequest: tt.account})
			info, err := server.service(t).BucketInfo(t.Context(), "photos")
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			if tt.wantInfo == nil {
				require.Nil(t, info)
				return
			}
			tt.wantInfo.Name = "photos"
			tt.wantInfo.Provider = "azure"
			require.Equal(t, tt.wantInfo, info)
		})
	}
}

// versionsPage returns a page of a listing of versions.
func versionsPage(marker string, names ...string) routedReply {
	var blobs strings.Builder
	for _, name := range names {
		fmt.Fprintf(&blobs, "<Blob><Name>%s</Name><VersionId>2026-03-04T05:06:07.0000000Z</VersionId></Blob>",
			name)
	}
	return routedReply{
		status: http.StatusOK,
		header: map[string]string{"Content-Type": "application/xml"},
		body:   `<EnumerationResults><Blobs>` + blobs.String() + `</Blobs><NextMarker>` + marker + `</NextMarker></EnumerationResults>`,
	}
}

// DeleteBucket refuses a container with noncurrent versions, on any page of their listing, because
// Azure would delete them all.
func TestDeleteBucketWithOldVersions(t *testing.T) {
	// The next page is the one that begins at the marker "m".
	const firstPage = "GET /photos?comp=list&include=versions&maxresults=100&restype=container"
	const nextPage = "GET /photos?comp=list&include=versions&marker=m&maxresults=100&restype=container"
	tests := []struct {
		name      string
		pages     map[string]routedReply // by request
		isDeleted bool
		want      storage.Code // "" if DeleteBucket succeeds
	}{
		{name: "no version", pages: map[string]routedReply{firstPage: versionsPage("")}, isDeleted: true},
		{
			name:      "no version on two pages",
			pages:     map[string]routedReply{firstPage: versionsPage("m"), nextPage: versionsPage("")},
			isDeleted: true,
		},
		{
			name:  "version",
			pages: map[string]routedReply{firstPage: versionsPage("", "a")},
			want:  storage.BucketNotEmpty,
		},
		{
			name:  "version after an empty page",
			pages: map[string]routedReply{firstPage: versionsPage("m"), nextPage: versionsPage("", "a")},
			want:  storage.BucketNotEmpty,
		},
		{
			name:  "listing refused",
			pages: map[string]routedReply{firstPage: {status: http.StatusForbidden, code: "AuthorizationFailure"}},
			want:  storage.PermissionDenied,
		},
		{
			name:  "container missing",
			pages: map[string]routedReply{firstPage: {status: http.StatusNotFound, code: "ContainerNotFound"}},
			want:  storage.BucketNotFound,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server would delete the container if DeleteBucket asked for that.
			tt.pages[deleteRequest] = routedReply{status: http.StatusAccepted}
			server := newRoutedServer(t, tt.pages)

			err := server.serviceDriver(t, Config{}).DeleteBucket(t.Context(), "photos")
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.isDeleted, slices.Contains(server.requests(), deleteRequest))
		})
	}
}

// DeleteBucket deletes a container with noncurrent versions of parts, which uploads that have ended
// leave. It refuses a container with other versions or with an open upload.
func TestDeleteBucketWithOldParts(t *testing.T) {
	const listVersions = "GET /photos?comp=list&include=versions&maxresults=100&restype=container"
	part := reservedPrefix + "parts/0123456789abcdef0123456789abcdef/0-000001"

	// The part of an open upload is a current version. Here, a current version is listed without an
	// id.
	openUpload := versionsPage("")
	openUpload.body = strings.Replace(openUpload.body, "<Blobs>", "<Blobs><Blob><Name>"+part+"</Name></Blob>", 1)

	tests := []struct {
		name     string
		page     routedReply
		wantHint string // of the error BucketNotEmpty, or "" if the container is deleted
	}{
		{name: "old versions of parts", page: versionsPage("", part, part)},
		{name: "old versions of parts, and another", page: versionsPage("", part, "a"), wantHint: versionsHint},
		{name: "an open upload", page: openUpload, wantHint: uploadsHint},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRoutedServer(t, map[string]routedReply{
				listVersions:  tt.page,
				deleteRequest: {status: http.StatusAccepted},
			})

			err := server.serviceDriver(t, Config{}).DeleteBucket(t.Context(), "photos")
			if tt.wantHint == "" {
				require.NoError(t, err)
				require.Contains(t, server.requests(), deleteRequest)
				return
			}
			require.ErrorIs(t, err, storage.BucketNotEmpty)
			require.Equal(t, tt.wantHint, asError(err).Hint)
			require.NotContains(t, server.requests(), deleteRequest)
		})
	}
}

// DeleteBucket deletes only an empty container, even on an account that has no versions and refuses
// to list them.
func TestDeleteBucketWithoutVersions(t *testing.T) {
	const (
		listVersions = "GET /photos?comp=list&include=versions&maxresults=100&restype=container"
		listBlobs    = "GET /photos?comp=list&maxresults=100&restype=container"
	)
	tests := []struct {
		name string
		page routedReply
		want storage.Code // "" if the container is deleted
	}{
		{name: "an empty container", page: versionsPage("")},
		{name: "a container with a blob", page: versionsPage("", "a"), want: storage.BucketNotEmpty},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRoutedServer(t, map[string]routedReply{
				listVersions:  {status: http.StatusBadRequest, code: "InvalidQueryParameterValue"},
				listBlobs:     tt.page,
				deleteRequest: {status: http.StatusAccepted},
			})

			err := server.serviceDriver(t, Config{}).DeleteBucket(t.Context(), "photos")
			require.Equal(t, tt.want, storage.CodeOf(err))
			isDeleted := slices.Contains(server.requests(), deleteRequest)
			require.Equal(t, tt.want == "", isDeleted)
		})
	}
}

// DeleteBucket lists no versions if the service of Config.APIVersion has none.
func TestDeleteBucketOfOldService(t *testing.T) {
	server := newRoutedServer(t, map[string]routedReply{
		"GET /photos?comp=list&maxresults=100&restype=container": versionsPage(""),
		deleteRequest: {status: http.StatusAccepted},
	})
	d := server.serviceDriver(t, Config{APIVersion: "2019-07-07"})

	require.NoError(t, d.DeleteBucket(t.Context(), "photos"))
}

// Buckets lists all pages of containers.
func TestBucketsPages(t *testing.T) {
	const firstPage = `<EnumerationResults><Containers>` +
		`<Container><Name>$root</Name><Properties/></Container>` +
		`<Container><Name>a</Name><Properties><PublicAccess>blob</PublicAccess></Properties></Container>` +
		`</Containers><NextMarker>m</NextMarker></EnumerationResults>`
	const lastPage = `<EnumerationResults><Containers>` +
		`<Container><Name>b</Name><Properties/></Container>` +
		`</Containers><NextMarker/></EnumerationResults>`
	server := newRoutedServer(t, map[string]routedReply{
		"GET /?comp=list":          {status: http.StatusOK, body: firstPage},
		"GET /?comp=list&marker=m": {status: http.StatusOK, body: lastPage},
	})

	var infos []storage.BucketInfo
	for info, err := range server.service(t).Buckets(t.Context()) {
		require.NoError(t, err)
		infos = append(infos, info)
	}
	require.Equal(t, []storage.BucketInfo{
		{Name: "$root", Provider: "azure"},
		{Name: "a", Provider: "azure", Public: true},
		{Name: "b", Provider: "azure"},
	}, infos)
}

// CreateBucket and UpdateBucket refuse settings that only the management plane of Azure can change, and more CORS rules
// than Azure permits. They send no request.
func TestUpdateBucketManagementPlane(t *testing.T) {
	rule := storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}
	sixRules := slices.Repeat([]storage.CORSRule{rule}, 6)
	tests := []struct {
		name         string
		opt          storage.BucketOption
		isCreateOnly bool // the engine refuses the option in UpdateBucket
		want         storage.Code
		wantHint     string
	}{
		{
			name:         "a region",
			opt:          storage.WithRegion("westeurope"),
			isCreateOnly: true,
			want:         storage.Unsupported,
			wantHint:     "storage account",
		},
		{
			name:     "versions",
			opt:      storage.WithVersioning(true),
			want:     storage.Unsupported,
			wantHint: "management plane",
		},
		{
			name:     "object lock",
			opt:      storage.WithObjectLock(),
			want:     storage.Unsupported,
			wantHint: "version-level immutability",
		},
		{
			name:     "default retention",
			opt:      storage.WithDefaultRetention(storage.Governance, 1),
			want:     storage.Unsupported,
			wantHint: "version-level immutability",
		},
		{
			name:     "no versions",
			opt:      storage.WithVersioning(false),
			want:     storage.Unsupported,
			wantHint: "management plane",
		},
		{
			name:     "a lifecycle",
			opt:      storage.WithLifecycle(storage.LifecycleRule{ExpireAfterDays: 1}),
			want:     storage.Unsupported,
			wantHint: "management plane",
		},
		{
			name:     "more than 5 rules",
			opt:      storage.WithCORS(sixRules...),
			want:     storage.InvalidArgument,
			wantHint: "at most 5",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRoutedServer(t, nil)
			_, err := server.service(t).CreateBucket(t.Context(), "photos", tt.opt)
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.wantHint)

			if !tt.isCreateOnly {
				_, err = server.service(t).UpdateBucket(t.Context(), "photos", tt.opt)
				require.ErrorIs(t, err, tt.want)
				require.ErrorContains(t, err, tt.wantHint)
			}
			require.Empty(t, server.requests())
		})
	}

	t.Run("credentials of S3", func(t *testing.T) {
		server := newRoutedServer(t, nil)
		_, err := server.service(t).Credentials(t.Context(), "photos")
		require.ErrorIs(t, err, storage.Unsupported)
		require.Empty(t, server.requests())
	})
}

// CreateBucket fails with OutcomeUnknown if Azure answers with InternalError.
func TestCreateBucketResponseLost(t *testing.T) {
	server := newRoutedServer(t,
		map[string]routedReply{createRequest: {status: http.StatusInternalServerError, code: "InternalError"}})
	_, err := server.service(t).CreateBucket(t.Context(), "photos")
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}

// NewService fails with InvalidArgument if Config names a bucket.
func TestServiceRefusesABucket(t *testing.T) {
	_, err := NewService(t.Context(), Config{Bucket: "photos", Account: testAccount, Key: testKey})
	require.ErrorIs(t, err, storage.InvalidArgument)
}
