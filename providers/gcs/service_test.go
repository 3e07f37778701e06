package gcs

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

var (
	someCORS = storage.CORSRule{
		Origins:        []string{"https://example.com"},
		Methods:        []string{"GET", "PUT"},
		AllowedHeaders: []string{"content-type", "etag"},
		ExposedHeaders: []string{"content-type", "etag"},
		MaxAge:         time.Hour,
	}
	someLifecycle = storage.LifecycleRule{Prefix: "tmp/", ExpireAfterDays: 3}
)

const (
	someCORSOnWire      = `[{"maxAgeSeconds":3600,"method":["GET","PUT"],"origin":["https://example.com"],"responseHeader":["content-type","etag"]}]`
	someLifecycleOnWire = `{"rule":[{"action":{"type":"Delete"},"condition":{"age":3,"isLive":true,"matchesPrefix":["tmp/"]}}]}`
)

func TestCreateBucketTakesOneRequest(t *testing.T) {
	const uniform = `"uniformBucketLevelAccess":{"enabled":true}`
	tests := map[string]struct {
		region string
		opts   []storage.BucketOption
		body   string // as JSON
		want   storage.BucketInfo
	}{
		"as Google makes one, but of uniform access": {
			region: "",
			body:   `{"iamConfiguration":{` + uniform + `},"lifecycle":{"rule":[]},"location":"US","name":"photos"}`,
			want:   storage.BucketInfo{Name: "photos", Region: "US"},
		},
		"in a region": {
			region: "europe-west1",
			body:   `{"iamConfiguration":{` + uniform + `},"lifecycle":{"rule":[]},"location":"europe-west1","name":"photos"}`,
			want:   storage.BucketInfo{Name: "photos", Region: "EUROPE-WEST1"},
		},
		"never public": {
			region: "",
			opts:   []storage.BucketOption{storage.WithPublicAccess(false)},
			body:   `{"iamConfiguration":{"publicAccessPrevention":"enforced",` + uniform + `},"lifecycle":{"rule":[]},"location":"US","name":"photos"}`,
			want:   storage.BucketInfo{Name: "photos", Region: "US"},
		},
		"with versions, and with rules": {
			region: "",
			opts:   []storage.BucketOption{storage.WithVersioning(true), storage.WithCORS(someCORS), storage.WithLifecycle(someLifecycle)},
			body:   `{"iamConfiguration":{` + uniform + `},"lifecycle":` + someLifecycleOnWire + `,"cors":` + someCORSOnWire + `,"versioning":{"enabled":true},"location":"US","name":"photos"}`,
			want:   storage.BucketInfo{Name: "photos", Region: "US", Versioning: true, CORS: []storage.CORSRule{someCORS}, Lifecycle: []storage.LifecycleRule{someLifecycle}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{"POST /b": {bucketIsThere}})
			r := wiretest.BucketRequest(tt.opts...)
			r.Region = tt.region

			info, err := s.CreateBucket(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, &tt.want, info)
			require.Equal(t, []string{"POST /b"}, w.requests)
			require.JSONEq(t, tt.body, w.bodies["POST /b"][0])
			require.Equal(t, "project=p", w.queries["POST /b"])
		})
	}
}

func TestCreateBucketOfAnExistingBucket(t *testing.T) {
	for name, message := range map[string]string{
		"one's own":      "Your previous request to create the named bucket succeeded and you already own it.",
		"somebody's own": "The requested bucket name is not available. The bucket namespace is shared by all users of the system.",
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{"POST /b": {refusal(409, "conflict", message)}})
			_, err := s.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
			require.Equal(t, storage.BucketExists, storage.CodeOf(err))
			require.ErrorContains(t, err, message)
			require.Equal(t, []string{"POST /b"}, w.requests)
		})
	}
}

// If CreateBucket gets a 503 and its next attempt finds the bucket, the call fails with BucketExists and
// OutcomeUnknown. GoogleCloudPlatform/magic-modules#11550.
func TestCreateBucketResponseLost(t *testing.T) {
	d, w := newManagingService(t, Config{}, map[string][]string{"POST /b": {
		refusal(503, "backendError", "Backend Error"),
		refusal(409, "conflict", "Your previous request to create the named bucket succeeded and you already own it."),
	}})
	_, err := engine.NewService(d).CreateBucket(t.Context(), "photos")
	require.ErrorIs(t, err, storage.BucketExists)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.Equal(t, []string{"POST /b", "POST /b"}, w.requests)
}

// If the service is busy while a new bucket is set up, CreateBucket does not delete it: Google allows one creation
// or removal in two seconds. https://docs.cloud.google.com/storage/quotas.
func TestCreateBucketBusy(t *testing.T) {
	busy := refusal(503, "backendError", "Backend Error")
	d, w := newManagingService(t, Config{}, map[string][]string{
		"POST /b":           {bucketIsThere, refusal(409, "conflict", "Your previous request to create the named bucket succeeded and you already own it.")},
		"GET /b/photos/iam": {busy, privatePolicy},
		"PUT /b/photos/iam": {busy, publicPolicy},
	})
	s := engine.NewService(d, storage.WithRetry(storage.RetryPolicy{Attempts: 2, MaxDelay: time.Millisecond}))

	_, err := s.CreateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
	require.Error(t, err, "two attempts are too few")
	info, err := s.CreateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
	require.NoError(t, err)
	require.True(t, info.Public)

	const get, put = "GET /b/photos/iam", "PUT /b/photos/iam"
	require.Equal(t, []string{"POST /b", get, get, put, get, put}, w.requests)
	_, err = s.CreateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
	require.ErrorIs(t, err, storage.BucketExists, "it was made")
}

func TestCreateBucketRemovesABucketThatCannotBePublic(t *testing.T) {
	s, w := newManagingService(t, Config{}, map[string][]string{
		"POST /b":           {bucketIsThere},
		"GET /b/photos/iam": {privatePolicy},
		"PUT /b/photos/iam": {refusal(412, "conditionNotMet", "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced.")},
		"DELETE /b/photos":  {"204 "},
	})
	_, err := s.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	require.ErrorContains(t, err, "publicAccessPrevention")
	require.Equal(t, "DELETE /b/photos", w.requests[len(w.requests)-1])
}

func TestBucketInfoTakesAtMostTwoRequests(t *testing.T) {
	document := func(extra string) string { return strings.TrimSuffix(bucketIsThere, "}") + "," + extra + "}" }
	created := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)
	base := storage.BucketInfo{Name: "photos", Region: "EUROPE-WEST1", Created: created}
	change := func(change func(*storage.BucketInfo)) storage.BucketInfo {
		info := base
		change(&info)
		return info
	}
	both := []string{"GET /b/photos", "GET /b/photos/iam"}
	one := []string{"GET /b/photos"}

	tests := map[string]struct {
		bucket, policy string
		requests       []string
		want           storage.BucketInfo
	}{
		"a private bucket": {bucket: bucketIsThere, policy: privatePolicy, requests: both, want: base},
		"a public bucket": {
			bucket:   bucketIsThere,
			policy:   publicPolicy,
			requests: both,
			want: change(func(i *storage.BucketInfo) {
				i.Public = true
			}),
		},
		"public, without listing": {
			bucket:   bucketIsThere,
			policy:   `200 {"bindings":[{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}]}`,
			requests: both,
			want: change(func(i *storage.BucketInfo) {
				i.Public = true
			}),
		},
		"its list is public, not its objects": {
			bucket:   bucketIsThere,
			policy:   `200 {"bindings":[{"role":"roles/storage.legacyBucketReader","members":["allUsers"]}]}`,
			requests: both,
			want:     base,
		},
		"public to whoever has a Google account": {
			bucket:   bucketIsThere,
			policy:   `200 {"bindings":[{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]}]}`,
			requests: both,
			want: change(func(i *storage.BucketInfo) {
				i.Public = true
			}),
		},
		"public under a condition": {
			bucket:   bucketIsThere,
			policy:   `200 {"bindings":[{"role":"roles/storage.objectViewer","members":["allUsers"],"condition":{"expression":"false"}}]}`,
			requests: both,
			want:     base,
		},
		"prevented from being public": {
			bucket:   document(`"iamConfiguration":{"publicAccessPrevention":"enforced"}`),
			requests: one,
			want:     base,
		},
		"a server without policies is not public": {bucket: bucketIsThere, policy: "404 404 page not found", requests: both, want: base},
		"object retention": {
			bucket:   document(`"objectRetention":{"mode":"Enabled"}`),
			policy:   privatePolicy,
			requests: both,
			want: change(func(i *storage.BucketInfo) {
				i.ObjectLock = true
			}),
		},
		"versions and rules": {
			bucket:   document(`"versioning":{"enabled":true},"cors":` + someCORSOnWire + `,"lifecycle":` + someLifecycleOnWire),
			policy:   privatePolicy,
			requests: both,
			want: change(func(i *storage.BucketInfo) {
				i.Versioning = true
				i.CORS = []storage.CORSRule{someCORS}
				i.Lifecycle = []storage.LifecycleRule{someLifecycle}
			}),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{"GET /b/photos": {tt.bucket}, "GET /b/photos/iam": {tt.policy}})
			info, err := s.BucketInfo(t.Context(), "photos")
			require.NoError(t, err)
			require.Equal(t, &tt.want, info)
			require.Equal(t, tt.requests, w.requests)
			if len(tt.requests) > 1 {
				require.Equal(t, "optionsRequestedPolicyVersion=3", w.queries["GET /b/photos/iam"])
			}
		})
	}
}

func TestUpdateBucketChangesOnlyTheGivenSettings(t *testing.T) {
	tests := map[string]struct {
		opts []storage.BucketOption
		body string
	}{
		"versions":           {[]storage.BucketOption{storage.WithVersioning(true)}, `{"versioning":{"enabled":true}}`},
		"no versions":        {[]storage.BucketOption{storage.WithVersioning(false)}, `{"versioning":{"enabled":false}}`},
		"CORS":               {[]storage.BucketOption{storage.WithCORS(someCORS)}, `{"cors":` + someCORSOnWire + `}`},
		"no CORS":            {[]storage.BucketOption{storage.WithCORS()}, `{"cors":[]}`},
		"a lifecycle":        {[]storage.BucketOption{storage.WithLifecycle(someLifecycle)}, `{"lifecycle":` + someLifecycleOnWire + `}`},
		"no lifecycle":       {[]storage.BucketOption{storage.WithLifecycle()}, `{"lifecycle":{"rule":[]}}`},
		"several, in one go": {[]storage.BucketOption{storage.WithVersioning(true), storage.WithCORS()}, `{"versioning":{"enabled":true},"cors":[]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{"PATCH /b/photos": {bucketIsThere}, "GET /b/photos/iam": {publicPolicy}})
			info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(tt.opts...))
			require.NoError(t, err)
			require.Equal(t, []string{"PATCH /b/photos", "GET /b/photos/iam"}, w.requests)
			require.JSONEq(t, tt.body, w.bodies["PATCH /b/photos"][0])
			require.Equal(t, "EUROPE-WEST1", info.Region)
			require.True(t, info.Public)
		})
	}
	t.Run("nothing", func(t *testing.T) {
		s, w := newManagingService(t, Config{}, map[string][]string{"GET /b/photos": {bucketIsThere}, "GET /b/photos/iam": {publicPolicy}})
		_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest())
		require.NoError(t, err)
		require.Equal(t, []string{"GET /b/photos", "GET /b/photos/iam"}, w.requests)
	})
}

// UpdateBucket succeeds even if the settings cannot be read after the change.
func TestUpdateBucketReadFails(t *testing.T) {
	s, w := newManagingService(t, Config{}, map[string][]string{
		"PATCH /b/photos":   {bucketIsThere},
		"GET /b/photos/iam": {refusal(503, "backendError", "try again")},
	})
	info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
	require.NoError(t, err)
	require.Equal(t, "EUROPE-WEST1", info.Region)
	require.Equal(t, []string{"PATCH /b/photos", "GET /b/photos/iam"}, w.requests)
}

// A missing bucket is BucketNotFound.
func TestBucketMissing(t *testing.T) {
	absent := refusal(404, "notFound", "The specified bucket does not exist.")
	for name, do := range map[string]func(s *serviceDriver) error{
		"its info": func(s *serviceDriver) error {
			_, err := s.BucketInfo(t.Context(), "photos")
			return err
		},
		"its update": func(s *serviceDriver) error {
			_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
			return err
		},
		"its deletion": func(s *serviceDriver) error { return s.DeleteBucket(t.Context(), "photos") },
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{"GET /b/photos": {absent}, "PATCH /b/photos": {absent}, "DELETE /b/photos": {absent}})
			require.Equal(t, storage.BucketNotFound, storage.CodeOf(do(s)))
			require.Len(t, w.requests, 1)
		})
	}
}

func TestDeleteBucketRequiresAnEmptyBucket(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   storage.Code
	}{
		"empty":               {"204 ", ""},
		"an object is in it":  {refusal(409, "conflict", "The bucket you tried to delete is not empty."), storage.BucketNotEmpty},
		"not allowed":         {refusal(403, "forbidden", "no"), storage.PermissionDenied},
		"an invalid response": {"502 <html>", storage.Unavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{"DELETE /b/photos": {tt.answer}})
			err := s.DeleteBucket(t.Context(), "photos")
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.Equal(t, tt.want == storage.Unavailable, isUnknown(err), "%v", err)
			require.Equal(t, []string{"DELETE /b/photos"}, w.requests, "retrying is the engine's")
		})
	}
}

func isUnknown(err error) bool {
	e, ok := err.(*storage.Error)
	return ok && e.Unknown
}

func TestListBucketsOfTheProject(t *testing.T) {
	s, w := newManagingService(t, Config{Project: "mine"}, map[string][]string{"GET /b": {
		`200 {"kind":"storage#buckets","nextPageToken":"n1","items":[{"name":"a","location":"US","timeCreated":"2026-03-04T05:06:07Z"},{"name":"b","location":"EU","versioning":{"enabled":true}}]}`,
		`200 {"kind":"storage#buckets","items":[{"name":"c"}]}`,
	}})
	var names []string
	for info, err := range engine.NewService(s).Buckets(t.Context()) {
		require.NoError(t, err)
		names = append(names, info.Name+" "+info.Region+" "+fmt.Sprint(info.Versioning))
		require.Equal(t, "gcs", info.Provider)
	}
	require.Equal(t, []string{"a US false", "b EU true", "c  false"}, names)
	require.Equal(t, []string{"GET /b", "GET /b"}, w.requests)
	require.Contains(t, w.queries["GET /b"], "pageToken=n1")
	require.Contains(t, w.queries["GET /b"], "project=mine")
}

func TestProjectID(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_CLOUD_PROJECT", "")
	creds := &credentials{}
	creds.cached.Store(auth.NewCredentials(&auth.CredentialsOptions{JSON: []byte(`{"type":"service_account","project_id":"theirs"}`)}))
	unknown := &credentials{}
	unknown.cached.Store(auth.NewCredentials(&auth.CredentialsOptions{}))
	emulator, err := url.Parse("http://127.0.0.1:1")
	require.NoError(t, err)

	tests := map[string]struct {
		account account
		want    string
		code    storage.Code
	}{
		"said":                          {account{project: "mine", credentials: creds}, "mine", ""},
		"the credentials' own":          {account{credentials: creds}, "theirs", ""},
		"credentials without a project": {account{credentials: unknown}, "", storage.InvalidArgument},
		"anonymous":                     {account{anonymous: true}, "", storage.InvalidArgument},
		"a server that may know none":   {account{anonymous: true, endpoint: emulator}, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := (&serviceDriver{account: &tt.account}).projectID(t.Context())
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.code, storage.CodeOf(err))
			if err != nil {
				require.ErrorContains(t, err, "project=")
			}
		})
	}
}

func TestServiceRefusesABucket(t *testing.T) {
	_, err := NewServiceDriver(t.Context(), Config{Bucket: "photos", Anonymous: true})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

func TestServiceHasNoCredentialsForS3(t *testing.T) {
	s, w := newManagingService(t, Config{}, nil)
	_, err := s.Credentials(t.Context(), "photos")
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "HMAC")
	require.Empty(t, w.requests)
}

func TestServiceOpensBuckets(t *testing.T) {
	s, w := newManagingService(t, Config{}, nil)
	d, err := s.Driver("photos")
	require.NoError(t, err)
	require.Equal(t, "photos", d.Describe().Bucket)
	require.Empty(t, w.requests)
}
