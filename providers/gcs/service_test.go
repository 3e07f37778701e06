package gcs

import (
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

// CreateBucket sends all settings in one request. Every bucket has uniform access.
func TestCreateBucketTakesOneRequest(t *testing.T) {
	const uniform = `"uniformBucketLevelAccess":{"enabled":true}`
	tests := []struct {
		name     string
		region   string
		opts     []storage.BucketOption
		wantBody string // as JSON
		want     storage.BucketInfo
	}{
		{
			name:     "default",
			wantBody: `{"iamConfiguration":{` + uniform + `},"lifecycle":{"rule":[]},"location":"US","name":"photos"}`,
			want:     storage.BucketInfo{Name: "photos", Region: "US"},
		},
		{
			name:   "in a region",
			region: "europe-west1",
			wantBody: `{"iamConfiguration":{` + uniform + `},` +
				`"lifecycle":{"rule":[]},"location":"europe-west1","name":"photos"}`,
			want: storage.BucketInfo{Name: "photos", Region: "EUROPE-WEST1"},
		},
		{
			name: "WithPublicAccess(false)",
			opts: []storage.BucketOption{storage.WithPublicAccess(false)},
			wantBody: `{"iamConfiguration":{"publicAccessPrevention":"enforced",` + uniform + `},` +
				`"lifecycle":{"rule":[]},"location":"US","name":"photos"}`,
			want: storage.BucketInfo{Name: "photos", Region: "US"},
		},
		{
			name: "versioning and rules",
			opts: []storage.BucketOption{
				storage.WithVersioning(true), storage.WithCORS(someCORS),
				storage.WithLifecycle(someLifecycle),
			},
			wantBody: `{"iamConfiguration":{` + uniform + `},"lifecycle":` + someLifecycleOnWire + `,` +
				`"cors":` + someCORSOnWire + `,"versioning":{"enabled":true},"location":"US","name":"photos"}`,
			want: storage.BucketInfo{
				Name:       "photos",
				Region:     "US",
				Versioning: true,
				CORS:       []storage.CORSRule{someCORS},
				Lifecycle:  []storage.LifecycleRule{someLifecycle},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{},
				map[string][]string{"POST /b": {bucketAnswer}})
			r := wiretest.BucketRequest(tt.opts...)
			r.Region = tt.region

			info, err := service.CreateBucket(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, &tt.want, info)
			require.Equal(t, []string{"POST /b"}, transcript.requests)
			require.JSONEq(t, tt.wantBody, transcript.bodies["POST /b"][0])
			require.Equal(t, "project=p", transcript.queries["POST /b"])
		})
	}
}

// alreadyOwned is Google's message if the caller creates a bucket that is its own already.
const alreadyOwned = "Your previous request to create the named bucket succeeded and you already own it."

// CreateBucket of an existing bucket fails with BucketExists, whoever owns it, and does not change its policy.
func TestCreateBucketOfAnExistingBucket(t *testing.T) {
	tests := []struct {
		name    string
		message string
	}{
		{name: "of the caller", message: alreadyOwned},
		{
			name: "of somebody else",
			message: "The requested bucket name is not available. " +
				"The bucket namespace is shared by all users of the system.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{}, map[string][]string{
				"POST /b": {errorAnswer(409, "conflict", tt.message)},
			})
			_, err := service.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
			require.Equal(t, storage.BucketExists, storage.CodeOf(err))
			require.ErrorContains(t, err, tt.message)
			require.Equal(t, []string{"POST /b"}, transcript.requests)
		})
	}
}

// If CreateBucket gets a 503 and its next attempt finds the bucket, the call fails with BucketExists and
// OutcomeUnknown. GoogleCloudPlatform/magic-modules#11550.
func TestCreateBucketResponseLost(t *testing.T) {
	d, transcript := newManagingService(t, Config{}, map[string][]string{
		"POST /b": {
			errorAnswer(503, "backendError", "Backend Error"),
			errorAnswer(409, "conflict", alreadyOwned),
		},
	})

	_, err := engine.NewService(d).CreateBucket(t.Context(), "photos")
	require.ErrorIs(t, err, storage.BucketExists)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.Equal(t, []string{"POST /b", "POST /b"}, transcript.requests)
}

// If the service is busy after CreateBucket has created the bucket, but before it has made the
// bucket public, the call fails. It leaves the bucket, because Google allows one creation or
// removal in two seconds: https://docs.cloud.google.com/storage/quotas. The next call continues
// with this bucket.
func TestCreateBucketBusy(t *testing.T) {
	// Each request gets the next answer in its list, and the last answer repeats. The first change of the policy takes
	// three attempts: one fails to read the policy, one to write it, and one succeeds.
	busy := errorAnswer(503, "backendError", "Backend Error")
	d, transcript := newManagingService(t, Config{}, map[string][]string{
		"POST /b":           {bucketAnswer, errorAnswer(409, "conflict", alreadyOwned)},
		"GET /b/photos/iam": {busy, privatePolicyAnswer},
		"PUT /b/photos/iam": {busy, publicPolicyAnswer},
	})
	service := engine.NewService(d, storage.WithRetry(storage.RetryPolicy{
		Attempts: 2, // for each call
		MaxDelay: time.Millisecond,
	}))

	// The first call creates the bucket, and then fails twice to make it public.
	_, err := service.CreateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
	require.Error(t, err)

	// The second call makes the same bucket public.
	info, err := service.CreateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
	require.NoError(t, err)
	require.True(t, info.Public)
	const get, put = "GET /b/photos/iam", "PUT /b/photos/iam"
	require.Equal(t, []string{"POST /b", get, get, put, get, put}, transcript.requests)

	// The third call fails, because the bucket exists.
	_, err = service.CreateBucket(t.Context(), "photos", storage.WithPublicAccess(true))
	require.ErrorIs(t, err, storage.BucketExists)
}

// CreateBucket removes a new bucket again if it cannot be made public.
func TestCreateBucketRemovesABucketThatCannotBePublic(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		"POST /b":           {bucketAnswer},
		"GET /b/photos/iam": {privatePolicyAnswer},
		"PUT /b/photos/iam": {errorAnswer(412, "conditionNotMet",
			"The member bindings allUsers and allAuthenticatedUsers are not allowed "+
				"since public access prevention is enforced.")},
		"DELETE /b/photos": {"204 "},
	})

	_, err := service.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	require.ErrorContains(t, err, "publicAccessPrevention")
	lastRequest := transcript.requests[len(transcript.requests)-1]
	require.Equal(t, "DELETE /b/photos", lastRequest)
}

// BucketInfo reads the bucket and its IAM policy. It does not read the policy if the bucket prevents public access.
func TestBucketInfoTakesAtMostTwoRequests(t *testing.T) {
	bucketWith := func(settings string) string { return strings.TrimSuffix(bucketAnswer, "}") + "," + settings + "}" }
	created := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)
	private := storage.BucketInfo{Name: "photos", Region: "EUROPE-WEST1", Created: created}
	public := private
	public.Public = true
	locking := private
	locking.ObjectLock = true
	withRules := private
	withRules.Versioning = true
	withRules.CORS = []storage.CORSRule{someCORS}
	withRules.Lifecycle = []storage.LifecycleRule{someLifecycle}
	bucketOnly := []string{"GET /b/photos"}
	bucketAndPolicy := []string{"GET /b/photos", "GET /b/photos/iam"}

	tests := []struct {
		name           string
		bucket, policy string // the responses
		wantRequests   []string
		want           storage.BucketInfo
	}{
		{
			name:         "private",
			bucket:       bucketAnswer,
			policy:       privatePolicyAnswer,
			wantRequests: bucketAndPolicy,
			want:         private,
		},
		{
			name:         "public",
			bucket:       bucketAnswer,
			policy:       publicPolicyAnswer,
			wantRequests: bucketAndPolicy,
			want:         public,
		},
		{
			name:         "public, without listing",
			bucket:       bucketAnswer,
			policy:       `200 {"bindings":[{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}]}`,
			wantRequests: bucketAndPolicy,
			want:         public,
		},
		{
			name:         "only the listing public",
			bucket:       bucketAnswer,
			policy:       `200 {"bindings":[{"role":"roles/storage.legacyBucketReader","members":["allUsers"]}]}`,
			wantRequests: bucketAndPolicy,
			want:         private,
		},
		{
			name:         "public to all accounts of Google",
			bucket:       bucketAnswer,
			policy:       `200 {"bindings":[{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]}]}`,
			wantRequests: bucketAndPolicy,
			want:         public,
		},
		{
			name:         "public under a condition",
			bucket:       bucketAnswer,
			policy:       `200 {"bindings":[{"role":"roles/storage.objectViewer","members":["allUsers"],"condition":{"expression":"false"}}]}`,
			wantRequests: bucketAndPolicy,
			want:         private,
		},
		{
			name:         "public access prevented",
			bucket:       bucketWith(`"iamConfiguration":{"publicAccessPrevention":"enforced"}`),
			wantRequests: bucketOnly,
			want:         private,
		},
		{
			name:         "server without policies",
			bucket:       bucketAnswer,
			policy:       "404 404 page not found",
			wantRequests: bucketAndPolicy,
			want:         private,
		},
		{
			name:         "object retention",
			bucket:       bucketWith(`"objectRetention":{"mode":"Enabled"}`),
			policy:       privatePolicyAnswer,
			wantRequests: bucketAndPolicy,
			want:         locking,
		},
		{
			name:         "versioning and rules",
			bucket:       bucketWith(`"versioning":{"enabled":true},"cors":` + someCORSOnWire + `,"lifecycle":` + someLifecycleOnWire),
			policy:       privatePolicyAnswer,
			wantRequests: bucketAndPolicy,
			want:         withRules,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{},
				map[string][]string{"GET /b/photos": {tt.bucket}, "GET /b/photos/iam": {tt.policy}})
			info, err := service.BucketInfo(t.Context(), "photos")
			require.NoError(t, err)
			require.Equal(t, &tt.want, info)
			require.Equal(t, tt.wantRequests, transcript.requests)
			if len(tt.wantRequests) > 1 {
				require.Equal(t, "optionsRequestedPolicyVersion=3", transcript.queries["GET /b/photos/iam"])
			}
		})
	}
}

// UpdateBucket sends only the given settings in one patch, and reads the policy afterwards.
func TestUpdateBucketChangesOnlyTheGivenSettings(t *testing.T) {
	tests := []struct {
		name     string
		opts     []storage.BucketOption
		wantBody string
	}{
		{
			name:     "versions",
			opts:     []storage.BucketOption{storage.WithVersioning(true)},
			wantBody: `{"versioning":{"enabled":true}}`,
		},
		{
			name:     "no versions",
			opts:     []storage.BucketOption{storage.WithVersioning(false)},
			wantBody: `{"versioning":{"enabled":false}}`,
		},
		{
			name:     "CORS",
			opts:     []storage.BucketOption{storage.WithCORS(someCORS)},
			wantBody: `{"cors":` + someCORSOnWire + `}`,
		},
		{
			name:     "no CORS",
			opts:     []storage.BucketOption{storage.WithCORS()},
			wantBody: `{"cors":[]}`,
		},
		{
			name:     "a lifecycle",
			opts:     []storage.BucketOption{storage.WithLifecycle(someLifecycle)},
			wantBody: `{"lifecycle":` + someLifecycleOnWire + `}`,
		},
		{
			name:     "no lifecycle",
			opts:     []storage.BucketOption{storage.WithLifecycle()},
			wantBody: `{"lifecycle":{"rule":[]}}`,
		},
		{
			name:     "several settings",
			opts:     []storage.BucketOption{storage.WithVersioning(true), storage.WithCORS()},
			wantBody: `{"versioning":{"enabled":true},"cors":[]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{}, map[string][]string{
				"PATCH /b/photos":   {bucketAnswer},
				"GET /b/photos/iam": {publicPolicyAnswer},
			})

			info, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(tt.opts...))
			require.NoError(t, err)
			require.Equal(t, []string{"PATCH /b/photos", "GET /b/photos/iam"}, transcript.requests)
			require.JSONEq(t, tt.wantBody, transcript.bodies["PATCH /b/photos"][0])
			require.Equal(t, "EUROPE-WEST1", info.Region)
			require.True(t, info.Public)
		})
	}
}

// UpdateBucket without settings only reads the bucket and its policy.
func TestUpdateBucketWithoutSettings(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		"GET /b/photos":     {bucketAnswer},
		"GET /b/photos/iam": {publicPolicyAnswer},
	})

	_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest())
	require.NoError(t, err)
	require.Equal(t, []string{"GET /b/photos", "GET /b/photos/iam"}, transcript.requests)
}

// UpdateBucket succeeds even if the settings cannot be read after the change.
func TestUpdateBucketReadFails(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		"PATCH /b/photos":   {bucketAnswer},
		"GET /b/photos/iam": {errorAnswer(503, "backendError", "try again")},
	})
	info, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
	require.NoError(t, err)
	require.Equal(t, "EUROPE-WEST1", info.Region)
	require.Equal(t, []string{"PATCH /b/photos", "GET /b/photos/iam"}, transcript.requests)
}

// BucketInfo, UpdateBucket and DeleteBucket of a missing bucket fail with BucketNotFound.
func TestBucketMissing(t *testing.T) {
	missing := errorAnswer(404, "notFound", "The specified bucket does not exist.")
	answers := map[string][]string{
		"GET /b/photos":    {missing},
		"PATCH /b/photos":  {missing},
		"DELETE /b/photos": {missing},
	}

	t.Run("BucketInfo", func(t *testing.T) {
		service, transcript := newManagingService(t, Config{}, answers)
		_, err := service.BucketInfo(t.Context(), "photos")
		require.Equal(t, storage.BucketNotFound, storage.CodeOf(err))
		require.Len(t, transcript.requests, 1)
	})
	t.Run("UpdateBucket", func(t *testing.T) {
		service, transcript := newManagingService(t, Config{}, answers)
		_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
		require.Equal(t, storage.BucketNotFound, storage.CodeOf(err))
		require.Len(t, transcript.requests, 1)
	})
	t.Run("DeleteBucket", func(t *testing.T) {
		service, transcript := newManagingService(t, Config{}, answers)
		err := service.DeleteBucket(t.Context(), "photos")
		require.Equal(t, storage.BucketNotFound, storage.CodeOf(err))
		require.Len(t, transcript.requests, 1)
	})
}

// DeleteBucket sends one request, and fails with BucketNotEmpty if the bucket has objects.
func TestDeleteBucketRequiresAnEmptyBucket(t *testing.T) {
	tests := []struct {
		name   string
		answer string // its status and its body
		want   storage.Code
	}{
		{name: "empty", answer: "204 ", want: ""},
		{
			name:   "an object is in it",
			answer: errorAnswer(409, "conflict", "The bucket you tried to delete is not empty."),
			want:   storage.BucketNotEmpty,
		},
		{name: "not allowed", answer: errorAnswer(403, "forbidden", "no"), want: storage.PermissionDenied},
		{name: "an invalid response", answer: "502 <html>", want: storage.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{},
				map[string][]string{"DELETE /b/photos": {tt.answer}})
			err := service.DeleteBucket(t.Context(), "photos")
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.Equal(t, []string{"DELETE /b/photos"}, transcript.requests)

			// After an invalid response, it is unknown whether the bucket is gone.
			require.Equal(t, tt.want == storage.Unavailable, isUnknown(err), "%v", err)
		})
	}
}

// isUnknown reports whether err is a *storage.Error with an unknown outcome.
func isUnknown(err error) bool {
	e, ok := err.(*storage.Error)
	return ok && e.Unknown
}

// Buckets lists the buckets of Config.Project in pages.
func TestListBucketsOfTheProject(t *testing.T) {
	const (
		firstPage = `200 {"kind":"storage#buckets","nextPageToken":"n1","items":[` +
			`{"name":"a","location":"US","timeCreated":"2026-03-04T05:06:07Z"},` +
			`{"name":"b","location":"EU","versioning":{"enabled":true}}]}`
		lastPage = `200 {"kind":"storage#buckets","items":[{"name":"c"}]}`
	)
	service, transcript := newManagingService(t, Config{Project: "mine"}, map[string][]string{
		"GET /b": {firstPage, lastPage},
	})

	var got []storage.BucketInfo
	for info, err := range engine.NewService(service).Buckets(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, "gcs", info.Provider)
		got = append(got, storage.BucketInfo{Name: info.Name, Region: info.Region, Versioning: info.Versioning})
	}
	want := []storage.BucketInfo{
		{Name: "a", Region: "US"},
		{Name: "b", Region: "EU", Versioning: true},
		{Name: "c"},
	}
	require.Equal(t, want, got)

	require.Equal(t, []string{"GET /b", "GET /b"}, transcript.requests)
	require.Contains(t, transcript.queries["GET /b"], "pageToken=n1")
	require.Contains(t, transcript.queries["GET /b"], "project=mine")
}

// projectID returns the project of Config, or else the project of the credentials. If there is
// none, it fails unless an emulator is used.
func TestProjectID(t *testing.T) {
	// The environment names no project.
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_CLOUD_PROJECT", "")

	withProject := &credentials{}
	withProject.cached.Store(auth.NewCredentials(&auth.CredentialsOptions{
		JSON: []byte(`{"type":"service_account","project_id":"theirs"}`),
	}))
	withoutProject := &credentials{}
	withoutProject.cached.Store(auth.NewCredentials(&auth.CredentialsOptions{}))
	emulator, err := url.Parse("http://127.0.0.1:1")
	require.NoError(t, err)

	tests := []struct {
		name     string
		account  account
		want     string
		wantCode storage.Code
	}{
		{name: "that of Config", account: account{project: "mine", credentials: withProject}, want: "mine"},
		{name: "that of the credentials", account: account{credentials: withProject}, want: "theirs"},
		{
			name:     "credentials without a project",
			account:  account{credentials: withoutProject},
			wantCode: storage.InvalidArgument,
		},
		{name: "anonymous", account: account{anonymous: true}, wantCode: storage.InvalidArgument},
		{name: "an emulator", account: account{anonymous: true, endpoint: emulator}, want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &serviceDriver{account: &tt.account}
			got, err := service.projectID(t.Context())
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.wantCode, storage.CodeOf(err))
			if err != nil {
				require.ErrorContains(t, err, "project=")
			}
		})
	}
}

// NewServiceDriver fails with InvalidArgument if Config names a bucket.
func TestServiceRefusesABucket(t *testing.T) {
	_, err := NewServiceDriver(t.Context(), Config{Bucket: "photos", Anonymous: true})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// The method Credentials fails with Unsupported, and its error says that the driver has no HMAC
// keys.
func TestServiceHasNoCredentialsForS3(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, nil)
	_, err := service.Credentials(t.Context(), "photos")
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "HMAC")
	require.Empty(t, transcript.requests)
}

// The method Driver opens a bucket without a request.
func TestServiceOpensBuckets(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, nil)
	d, err := service.Driver("photos")
	require.NoError(t, err)
	require.Equal(t, "photos", d.Describe().Bucket)
	require.Empty(t, transcript.requests)
}
