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
)

func (s *standIn) service(t *testing.T) storage.Service {
	t.Helper()
	account, err := NewService(t.Context(), Config{Endpoint: s.URL + "/" + testAccount, Key: testKey}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	return account
}

// The requests of the service driver, as the standIn records them.
const (
	askCreate     = "PUT /photos?restype=container"
	askHead       = "GET /photos?restype=container"
	askRemove     = "DELETE /photos?restype=container"
	askAccess     = "GET /photos?comp=acl&restype=container"
	askSetAccess  = "PUT /photos?comp=acl&restype=container"
	askAccount    = "GET /?comp=properties&restype=service"
	askSetAccount = "PUT /?comp=properties&restype=service"
)

var noRules = reply{status: http.StatusOK, body: `<StorageServiceProperties><Cors/></StorageServiceProperties>`}

const twoRules = `<StorageServiceProperties><Logging><Version>1.0</Version></Logging><Cors>` +
	`<CorsRule><AllowedOrigins>https://a.example, https://b.example</AllowedOrigins><AllowedMethods>GET,PUT</AllowedMethods><AllowedHeaders>x-ms-*</AllowedHeaders><ExposedHeaders></ExposedHeaders><MaxAgeInSeconds>60</MaxAgeInSeconds></CorsRule>` +
	`<CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET</AllowedMethods><AllowedHeaders/><ExposedHeaders>ETag</ExposedHeaders><MaxAgeInSeconds>0</MaxAgeInSeconds></CorsRule>` +
	`</Cors></StorageServiceProperties>`

var rulesOfTwo = []storage.CORSRule{
	{Origins: []string{"https://a.example", "https://b.example"}, Methods: []string{"GET", "PUT"}, AllowedHeaders: []string{"x-ms-*"}, MaxAge: time.Minute},
	{Origins: []string{"*"}, Methods: []string{"GET"}, ExposedHeaders: []string{"ETag"}},
}

func TestCreateBucketRequests(t *testing.T) {
	created := reply{status: http.StatusCreated}
	tests := map[string]struct {
		opts   []storage.BucketOption
		create reply
		access string // x-ms-blob-public-access
		info   storage.BucketInfo
		want   storage.Code
	}{
		"private": {opts: nil, create: created, info: storage.BucketInfo{}, want: ""},
		"private, said": {
			opts:   []storage.BucketOption{storage.WithPublicAccess(false)},
			create: created,
			info:   storage.BucketInfo{},
			want:   "",
		},
		"public": {
			opts:   []storage.BucketOption{storage.WithPublicAccess(true)},
			create: created,
			access: "blob",
			info:   storage.BucketInfo{Public: true},
			want:   "",
		},
		"without rules, said": {opts: []storage.BucketOption{storage.WithCORS()}, create: created, info: storage.BucketInfo{}, want: ""},
		"an existing container": {
			opts:   nil,
			create: reply{status: http.StatusConflict, code: "ContainerAlreadyExists"},
			info:   storage.BucketInfo{},
			want:   storage.BucketExists,
		},
		"a name that is not yet free": {
			opts:   nil,
			create: reply{status: http.StatusConflict, code: "ContainerBeingDeleted"},
			info:   storage.BucketInfo{},
			want:   storage.Unavailable,
		},
		"public, which the account is not": {
			opts:   []storage.BucketOption{storage.WithPublicAccess(true)},
			create: reply{status: http.StatusConflict, code: "PublicAccessNotPermitted"},
			access: "blob",
			info:   storage.BucketInfo{},
			want:   storage.PermissionDenied,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t, map[string]reply{askCreate: tt.create})
			info, err := s.service(t).CreateBucket(t.Context(), "photos", tt.opts...)
			require.Equal(t, []string{askCreate}, s.requests())
			require.Equal(t, tt.access, s.header(askCreate).Get("X-Ms-Blob-Public-Access"))

			if tt.want != "" {
				require.ErrorIs(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			tt.info.Name = "photos"
			tt.info.Provider = "azure"
			require.Equal(t, tt.info, *info)
		})
	}
}

func TestCreateBucketHints(t *testing.T) {
	tests := map[string]struct{ code, hint string }{
		"the name is not yet free":      {"ContainerBeingDeleted", "being deleted"},
		"the account's switch is in it": {"PublicAccessNotPermitted", "allowBlobPublicAccess"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t, map[string]reply{askCreate: {status: http.StatusConflict, code: tt.code}})
			_, err := s.service(t).CreateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
			require.ErrorContains(t, err, tt.hint)
		})
	}
}

// CORS rules are set before the bucket is created.
func TestCreateBucketWithCORS(t *testing.T) {
	rules := storage.WithCORS(rulesOfTwo...)
	t.Run("so that nothing has to be undone", func(t *testing.T) {
		s := newStandIn(t, map[string]reply{
			askHead:       {status: http.StatusNotFound, code: "ContainerNotFound"},
			askSetAccount: {status: http.StatusAccepted},
			askCreate:     {status: http.StatusCreated},
		})
		info, err := s.service(t).CreateBucket(t.Context(), "photos", rules)
		require.NoError(t, err)
		require.Equal(t, rulesOfTwo, info.CORS)
		require.Equal(t, []string{askHead, askSetAccount, askCreate}, s.requests())
	})
	t.Run("but not for a name that is taken", func(t *testing.T) {
		s := newStandIn(t, map[string]reply{askHead: {status: http.StatusOK}})
		_, err := s.service(t).CreateBucket(t.Context(), "photos", rules)
		require.ErrorIs(t, err, storage.BucketExists)
		require.Equal(t, []string{askHead}, s.requests())
	})
	t.Run("and one that cannot be set creates none", func(t *testing.T) {
		s := newStandIn(t, map[string]reply{
			askHead:       {status: http.StatusNotFound, code: "ContainerNotFound"},
			askSetAccount: {status: http.StatusForbidden, code: "AuthorizationPermissionMismatch"},
		})
		_, err := s.service(t).CreateBucket(t.Context(), "photos", rules)
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Equal(t, []string{askHead, askSetAccount}, s.requests())
	})
}

// The driver does not send the account's other properties, so Azure keeps them.
func TestWithCORSRequests(t *testing.T) {
	tests := map[string]struct {
		rules []storage.CORSRule
		body  string
	}{
		"two": {rulesOfTwo, `<StorageServiceProperties><Cors>` +
			`<CorsRule><AllowedHeaders>x-ms-*</AllowedHeaders><AllowedMethods>GET,PUT</AllowedMethods><AllowedOrigins>https://a.example,https://b.example</AllowedOrigins><ExposedHeaders></ExposedHeaders><MaxAgeInSeconds>60</MaxAgeInSeconds></CorsRule>` +
			`<CorsRule><AllowedHeaders></AllowedHeaders><AllowedMethods>GET</AllowedMethods><AllowedOrigins>*</AllowedOrigins><ExposedHeaders>ETag</ExposedHeaders><MaxAgeInSeconds>0</MaxAgeInSeconds></CorsRule>` +
			`</Cors></StorageServiceProperties>`},
		"none clears them": {nil, `<StorageServiceProperties><Cors></Cors></StorageServiceProperties>`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t, map[string]reply{
				askHead:       {status: http.StatusOK},
				askSetAccount: {status: http.StatusAccepted},
				askAccount:    {status: http.StatusOK, body: twoRules},
			})
			info, err := s.service(t).UpdateBucket(t.Context(), "photos", storage.WithCORS(tt.rules...))
			require.NoError(t, err)
			require.Equal(t, tt.body, strings.TrimPrefix(s.body(askSetAccount), xml.Header))
			require.Equal(t, rulesOfTwo, info.CORS, "as they are read back")
		})
	}
}

func TestUpdateBucketOfAMissingBucket(t *testing.T) {
	s := newStandIn(t, map[string]reply{askHead: {status: http.StatusNotFound, code: "ContainerNotFound"}})
	_, err := s.service(t).UpdateBucket(t.Context(), "photos", storage.WithCORS(), storage.WithPublicAccess(true))
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.Equal(t, []string{askHead}, s.requests(), "the account's rules are everybody's")
}

// A change of public access keeps the policies of the container.
func TestWithPublicAccessRequests(t *testing.T) {
	const policies = `<SignedIdentifiers><SignedIdentifier><Id>partner</Id><AccessPolicy><Start>2026-01-01T00:00:00.0000000Z</Start><Expiry>2027-01-01T00:00:00.0000000Z</Expiry><Permission>rl</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>`
	const changed = "Wed, 04 Mar 2026 05:06:07 GMT"
	for name, test := range map[string]struct {
		now    string // x-ms-blob-public-access
		public bool
		set    bool
		access string
	}{
		"opened":                    {now: "", public: true, set: true, access: "blob"},
		"closed":                    {now: "blob", set: true},
		"closed to listing too":     {now: "container", set: true},
		"open already":              {now: "blob", public: true},
		"open already, and to list": {now: "container", public: true},
		"closed already":            {now: ""},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{"Last-Modified": changed}
			if test.now != "" {
				header["X-Ms-Blob-Public-Access"] = test.now
			}
			s := newStandIn(t, map[string]reply{
				askHead:      {status: http.StatusOK, header: header},
				askAccount:   noRules,
				askAccess:    {status: http.StatusOK, header: header, body: policies},
				askSetAccess: {status: http.StatusOK},
			})
			_, err := s.service(t).UpdateBucket(t.Context(), "photos", storage.WithPublicAccess(test.public))
			require.NoError(t, err)
			if !test.set {
				require.NotContains(t, s.requests(), askSetAccess)
				return
			}

			require.Equal(t, []string{askHead, askAccess, askSetAccess, askHead, askAccount}, s.requests())
			headers := s.header(askSetAccess)
			require.Equal(t, test.access, headers.Get("X-Ms-Blob-Public-Access"))
			require.Equal(t, changed, headers.Get("If-Unmodified-Since"))
			require.Contains(t, s.body(askSetAccess), "<Id>partner</Id>", "stored policies are kept")
			require.Contains(t, s.body(askSetAccess), "<Permission>rl</Permission>")
			require.Contains(t, s.body(askSetAccess), "<Start>2026-01-01T00:00:00Z</Start>")
			require.Contains(t, s.body(askSetAccess), "<Expiry>2027-01-01T00:00:00Z</Expiry>")
		})
	}
	for name, test := range map[string]struct {
		answer reply
		want   storage.Code
	}{
		"the account forbids it":              {reply{status: http.StatusConflict, code: "PublicAccessNotPermitted"}, storage.PermissionDenied},
		"somebody else was quicker":           {reply{status: http.StatusPreconditionFailed, code: "ConditionNotMet"}, storage.Unavailable},
		"the credential may not":              {reply{status: http.StatusForbidden, code: "AuthorizationPermissionMismatch"}, storage.PermissionDenied},
		"the container was removed meanwhile": {reply{status: http.StatusNotFound, code: "ContainerNotFound"}, storage.BucketNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t, map[string]reply{askHead: {status: http.StatusOK}, askAccess: {status: http.StatusOK, body: policies}, askSetAccess: test.answer})
			_, err := s.service(t).UpdateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
			require.ErrorIs(t, err, test.want)
		})
	}
}

// UpdateBucket succeeds even if the settings cannot be read after the change.
func TestUpdateBucketReadFails(t *testing.T) {
	const policies = `<SignedIdentifiers/>`
	s := newStandIn(t, map[string]reply{
		askHead:      {status: http.StatusOK},
		askAccess:    {status: http.StatusOK, body: policies},
		askSetAccess: {status: http.StatusOK},
		askAccount:   {status: http.StatusServiceUnavailable, code: "ServerBusy"},
	})
	info, err := s.service(t).UpdateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
	require.NoError(t, err)
	require.Equal(t, "photos", info.Name)
	_, err = s.service(t).UpdateBucket(t.Context(), "photos")
	require.ErrorIs(t, err, storage.RateLimited, "which only looks")
}

func TestBucketInfoRequests(t *testing.T) {
	tests := map[string]struct {
		head, account reply
		info          storage.BucketInfo
		want          storage.Code
	}{
		"private": {head: reply{status: http.StatusOK}, account: noRules, info: storage.BucketInfo{}, want: ""},
		"public, with the account's rules": {
			head:    reply{status: http.StatusOK, header: map[string]string{"X-Ms-Blob-Public-Access": "blob"}},
			account: reply{status: http.StatusOK, body: twoRules},
			info:    storage.BucketInfo{Public: true, CORS: rulesOfTwo},
			want:    "",
		},
		"with locks": {
			head:    reply{status: http.StatusOK, header: map[string]string{"X-Ms-Immutable-Storage-With-Versioning-Enabled": "true"}},
			account: noRules,
			info:    storage.BucketInfo{ObjectLock: true},
			want:    "",
		},
		"listed in public too": {
			head:    reply{status: http.StatusOK, header: map[string]string{"X-Ms-Blob-Public-Access": "container"}},
			account: noRules,
			info:    storage.BucketInfo{Public: true},
			want:    "",
		},
		"without permission to read the rules": {
			head:    reply{status: http.StatusOK},
			account: reply{status: http.StatusForbidden, code: "AuthorizationPermissionMismatch"},
			info:    storage.BucketInfo{Unread: []string{"CORS", "SoftDelete"}},
			want:    storage.PermissionDenied,
		},
		"rules that cannot be reached": {
			head:    reply{status: http.StatusOK},
			account: reply{status: http.StatusServiceUnavailable, code: "ServerBusy"},
			info:    storage.BucketInfo{},
			want:    storage.RateLimited,
		},
		"a missing container": {
			head:    reply{status: http.StatusNotFound},
			account: noRules,
			info:    storage.BucketInfo{},
			want:    storage.BucketNotFound,
		},
		"a container that is going": {
			head:    reply{status: http.StatusConflict, code: "ContainerBeingDeleted"},
			account: noRules,
			info:    storage.BucketInfo{},
			want:    storage.BucketNotFound,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t, map[string]reply{askHead: tt.head, askAccount: tt.account})
			info, err := s.service(t).BucketInfo(t.Context(), "photos")
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			if tt.want != "" && tt.want != storage.PermissionDenied {
				require.Nil(t, info)
				return
			}
			tt.info.Name = "photos"
			tt.info.Provider = "azure"
			require.Equal(t, tt.info, *info)
		})
	}
}

func page(marker string, names ...string) reply {
	var blobs strings.Builder
	for _, name := range names {
		fmt.Fprintf(&blobs, "<Blob><Name>%s</Name><VersionId>2026-03-04T05:06:07.0000000Z</VersionId></Blob>", name)
	}
	return reply{
		status: http.StatusOK,
		header: map[string]string{"Content-Type": "application/xml"},
		body:   `<EnumerationResults><Blobs>` + blobs.String() + `</Blobs><NextMarker>` + marker + `</NextMarker></EnumerationResults>`,
	}
}

// DeleteBucket refuses a container with noncurrent versions. Azure would delete them all, so the driver looks at
// each page of the listing.
func TestDeleteBucketWithOldVersions(t *testing.T) {
	const look = "GET /photos?comp=list&include=versions&maxresults=100&restype=container"
	const next = "GET /photos?comp=list&include=versions&marker=m&maxresults=100&restype=container"
	tests := map[string]struct {
		pages   map[string]reply
		deleted bool
		want    storage.Code
	}{
		"nothing":                        {map[string]reply{look: page("")}, true, ""},
		"nothing on two pages":           {map[string]reply{look: page("m"), next: page("")}, true, ""},
		"a version":                      {map[string]reply{look: page("", "a")}, false, storage.BucketNotEmpty},
		"a version, after an empty page": {map[string]reply{look: page("m"), next: page("", "a")}, false, storage.BucketNotEmpty},
		"a listing that fails":           {map[string]reply{look: {status: http.StatusForbidden, code: "AuthorizationFailure"}}, false, storage.PermissionDenied},
		"a missing container":            {map[string]reply{look: {status: http.StatusNotFound, code: "ContainerNotFound"}}, false, storage.BucketNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.pages[askRemove] = reply{status: http.StatusAccepted}
			s := newStandIn(t, tt.pages)
			d, err := NewServiceDriver(t.Context(), Config{Endpoint: s.URL + "/" + testAccount, Key: testKey})
			require.NoError(t, err)
			err = d.DeleteBucket(t.Context(), "photos")
			require.NoError(t, d.Close())
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tt.want)
			}

			require.Equal(t, tt.deleted, slices.Contains(s.requests(), askRemove))
		})
	}
}

// DeleteBucket ignores noncurrent versions of the parts of uploads that have ended.
func TestDeleteBucketWithOldParts(t *testing.T) {
	const look = "GET /photos?comp=list&include=versions&maxresults=100&restype=container"
	part := reservedPrefix + "parts/0123456789abcdef0123456789abcdef/0-000001"
	upload := page("")
	upload.body = strings.Replace(upload.body, "<Blobs>", "<Blobs><Blob><Name>"+part+"</Name></Blob>", 1)

	tests := map[string]struct {
		page reply
		hint string // "": the container is deleted
	}{
		"old versions of parts":              {page("", part, part), ""},
		"old versions of parts, and another": {page("", part, "a"), versionsHint},
		"an open upload":                     {upload, uploadsHint},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t, map[string]reply{look: tt.page, askRemove: {status: http.StatusAccepted}})
			d, err := NewServiceDriver(t.Context(), Config{Endpoint: s.URL + "/" + testAccount, Key: testKey})
			require.NoError(t, err)
			err = d.DeleteBucket(t.Context(), "photos")

			require.NoError(t, d.Close())
			require.Equal(t, tt.hint == "", slices.Contains(s.requests(), askRemove))
			if tt.hint == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, storage.BucketNotEmpty)
			require.Equal(t, tt.hint, asError(err).Hint)
		})
	}
}

// DeleteBucket succeeds on an account that has no versions and refuses to list them.
func TestDeleteBucketWithoutVersions(t *testing.T) {
	const look, plain = "GET /photos?comp=list&include=versions&maxresults=100&restype=container", "GET /photos?comp=list&maxresults=100&restype=container"
	for name, row := range map[string]struct {
		page reply
		want storage.Code
	}{"an empty one": {page(""), ""}, "one with a blob": {page("", "a"), storage.BucketNotEmpty}} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t, map[string]reply{look: {status: http.StatusBadRequest, code: "InvalidQueryParameterValue"}, plain: row.page, askRemove: {status: http.StatusAccepted}})
			d, err := NewServiceDriver(t.Context(), Config{Endpoint: s.URL + "/" + testAccount, Key: testKey})
			require.NoError(t, err)
			require.Equal(t, row.want, storage.CodeOf(d.DeleteBucket(t.Context(), "photos")))
			require.Equal(t, row.want == "", slices.Contains(s.requests(), askRemove))
			require.NoError(t, d.Close())
		})
	}
}

// With a Config.APIVersion that has no versions, DeleteBucket does not ask for any.
func TestDeleteBucketOfOldService(t *testing.T) {
	s := newStandIn(t, map[string]reply{"GET /photos?comp=list&maxresults=100&restype=container": page(""), askRemove: {status: http.StatusAccepted}})
	d, err := NewServiceDriver(t.Context(), Config{Endpoint: s.URL + "/" + testAccount, Key: testKey, APIVersion: "2019-07-07"})
	require.NoError(t, err)
	require.NoError(t, d.DeleteBucket(t.Context(), "photos"))
	require.NoError(t, d.Close())
}

// Buckets are listed in pages.
func TestBucketsPages(t *testing.T) {
	s := newStandIn(t, map[string]reply{
		"GET /?comp=list": {
			status: http.StatusOK,
			body:   `<EnumerationResults><Containers><Container><Name>$root</Name><Properties/></Container><Container><Name>a</Name><Properties><PublicAccess>blob</PublicAccess></Properties></Container></Containers><NextMarker>m</NextMarker></EnumerationResults>`,
		},
		"GET /?comp=list&marker=m": {status: http.StatusOK, body: `<EnumerationResults><Containers><Container><Name>b</Name><Properties/></Container></Containers><NextMarker/></EnumerationResults>`},
	})
	var infos []storage.BucketInfo
	for info, err := range s.service(t).Buckets(t.Context()) {
		require.NoError(t, err)
		infos = append(infos, info)
	}
	require.Equal(t, []storage.BucketInfo{{Name: "$root", Provider: "azure"}, {Name: "a", Provider: "azure", Public: true}, {Name: "b", Provider: "azure"}}, infos)
}

// Settings of the management plane are unsupported.
func TestUpdateBucketManagementPlane(t *testing.T) {
	six := make([]storage.CORSRule, 6)
	for i := range six {
		six[i] = storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}
	}
	tests := map[string]struct {
		opt  storage.BucketOption
		want storage.Code
		hint string
	}{
		"a region":          {storage.WithRegion("westeurope"), storage.Unsupported, "storage account"},
		"versions":          {storage.WithVersioning(true), storage.Unsupported, "management plane"},
		"object lock":       {storage.WithObjectLock(), storage.Unsupported, "version-level immutability"},
		"default retention": {storage.WithDefaultRetention(storage.Governance, 1), storage.Unsupported, "version-level immutability"},
		"no versions":       {storage.WithVersioning(false), storage.Unsupported, "management plane"},
		"a lifecycle":       {storage.WithLifecycle(storage.LifecycleRule{ExpireAfterDays: 1}), storage.Unsupported, "management plane"},
		"more than 5 rules": {storage.WithCORS(six...), storage.InvalidArgument, "at most 5"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t, nil)
			_, err := s.service(t).CreateBucket(t.Context(), "photos", tt.opt)
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.hint)
			if name != "a region" { // the engine refuses it
				_, err = s.service(t).UpdateBucket(t.Context(), "photos", tt.opt)
				require.ErrorIs(t, err, tt.want)
				require.ErrorContains(t, err, tt.hint)
			}
			require.Empty(t, s.requests())
		})
	}
	t.Run("credentials of S3", func(t *testing.T) {
		s := newStandIn(t, nil)
		_, err := s.service(t).Credentials(t.Context(), "photos")
		require.ErrorIs(t, err, storage.Unsupported)
		require.Empty(t, s.requests())
	})
}

// If Azure answers CreateBucket with InternalError, the call fails with OutcomeUnknown.
func TestCreateBucketResponseLost(t *testing.T) {
	s := newStandIn(t, map[string]reply{askCreate: {status: http.StatusInternalServerError, code: "InternalError"}})
	_, err := s.service(t).CreateBucket(t.Context(), "photos")
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}

func TestServiceRefusesABucket(t *testing.T) {
	_, err := NewService(t.Context(), Config{Bucket: "photos", Account: testAccount, Key: testKey})
	require.ErrorIs(t, err, storage.InvalidArgument)
}
