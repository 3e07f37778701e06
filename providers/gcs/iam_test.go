package gcs

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

const (
	owner       = `{"role":"roles/storage.legacyBucketOwner","members":["projectOwner:p"]}`
	conditional = `{"role":"roles/storage.legacyObjectReader","members":["user:b@example.com"],"condition":{"expression":"request.time < timestamp('2030-01-01T00:00:00Z')","title":"t"}}`
)

// policyOf returns a policy as the server sends it, and as it is written back.
func policyOf(bindings string) string {
	return `{"version":3,"etag":"CAE=","bindings":[` + bindings + `]}`
}

// WithPublicAccess grants and revokes public access to an existing bucket.
func TestUpdateBucketPublic(t *testing.T) {
	const conflict = "The policy was changed by somebody else."
	get := "GET /b/photos/iam"
	put := "PUT /b/photos/iam"
	tests := map[string]struct {
		public   bool
		policies []string // the responses to reading the policy, in order
		puts     []string // the responses to writing it
		written  string   // the last one written; "" if none is
		requests []string // about the policy
	}{
		"granted": {
			public:   true,
			policies: []string{policyOf(owner)},
			puts:     []string{`200 {"kind":"storage#policy"}`},
			written:  policyOf(owner + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`),
			requests: []string{get, put},
		},
		"granted in addition to others": {
			public:   true,
			policies: []string{policyOf(`{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com"]}`)},
			puts:     []string{`200 {"kind":"storage#policy"}`},
			written:  policyOf(`{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com","allUsers"]}`),
			requests: []string{get, put},
		},
		"granted without the condition of another binding": {
			public:   true,
			policies: []string{policyOf(conditional)},
			puts:     []string{`200 {"kind":"storage#policy"}`},
			written:  policyOf(conditional + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`),
			requests: []string{get, put},
		},
		"granted, so far only to those with an account": {
			public:   true,
			policies: []string{policyOf(`{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]}`)},
			puts:     []string{`200 {"kind":"storage#policy"}`},
			written:  policyOf(`{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]},{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`),
			requests: []string{get, put},
		},
		"taken from those with an account": {
			public:   false,
			policies: []string{policyOf(owner + `,{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]}`)},
			puts:     []string{`200 {"kind":"storage#policy"}`},
			written:  policyOf(owner),
			requests: []string{get, put},
		},
		"granted already": {
			public:   true,
			policies: []string{policyOf(`{"role":"roles/storage.objectAdmin","members":["allUsers"]}`)},
			requests: []string{get},
		},
		"taken, whatever it was": {
			public:   false,
			policies: []string{policyOf(owner + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers","user:a@example.com"]},{"role":"roles/storage.legacyBucketReader","members":["allUsers"]},` + conditional)},
			puts:     []string{`200 {"kind":"storage#policy"}`},
			written:  policyOf(owner + `,{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com"]},` + conditional),
			requests: []string{get, put},
		},
		"taken already": {public: false, policies: []string{policyOf(owner)}, requests: []string{get}},
		"changed by others meanwhile": {
			public:   true,
			policies: []string{policyOf(owner), policyOf(conditional)},
			puts:     []string{refusal(412, "conditionNotMet", conflict), `200 {"kind":"storage#policy"}`},
			written:  policyOf(conditional + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`),
			requests: []string{get, put, get, put},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answers := map[string][]string{"PATCH /b/photos": {bucketIsThere}, put: tt.puts}
			for _, policy := range tt.policies {
				answers[get] = append(answers[get], "200 "+policy)
			}
			s, w := newManagingService(t, Config{}, answers)

			info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(tt.public)))
			require.NoError(t, err)
			require.Equal(t, tt.public, info.Public)

			prevention := map[bool]string{true: "inherited", false: "enforced"}[tt.public]
			require.JSONEq(t, `{"iamConfiguration":{"publicAccessPrevention":"`+prevention+`"}}`, w.bodies["PATCH /b/photos"][0], "uniform access stays as it is")
			require.Equal(t, append([]string{"PATCH /b/photos"}, tt.requests...), w.requests)

			if tt.written != "" {
				body := w.bodies[put]
				require.JSONEq(t, tt.written, body[len(body)-1])
			}
		})
	}
}

// UpdateBucket explains why public access could not be changed, and tries again if another client changed the
// policy. https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy.
func TestUpdateBucketPublicErrors(t *testing.T) {
	tests := map[string]struct {
		public   bool
		get, put string
		want     storage.Code
		hint     string
		tries    int
	}{
		"prevented from above": {
			public: true,
			get:    "200 " + policyOf(owner),
			put:    refusal(412, "conditionNotMet", "public access prevention is enforced."),
			want:   storage.PermissionDenied,
			hint:   "organization",
			tries:  1,
		},
		"prevented by a constraint": {
			public: true,
			get:    "200 " + policyOf(owner),
			put:    refusal(412, "orgPolicyConstraintFailed", "Request violates constraint 'constraints/iam.allowedPolicyMemberDomains'"),
			want:   storage.PermissionDenied,
			hint:   "organization",
			tries:  1,
		},
		"changed all the time": {
			public: true,
			get:    "200 " + policyOf(owner),
			put:    refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."),
			want:   storage.Unavailable,
			hint:   "other clients are changing",
			tries:  policyTries,
		},
		"changed, as other services say it": {
			public: true,
			get:    "200 " + policyOf(owner),
			put:    refusal(409, "conflict", "no"),
			want:   storage.Unavailable,
			hint:   "other clients are changing",
			tries:  policyTries,
		},
		"may not": {
			public: true,
			get:    "200 " + policyOf(owner),
			put:    refusal(403, "forbidden", "no"),
			want:   storage.PermissionDenied,
			tries:  1,
		},
		"a server without policies": {public: true, get: "404 404 page not found", want: storage.Unsupported, hint: "no IAM policies"},
		"no bucket any more": {
			public: true,
			get:    refusal(404, "notFound", "The specified bucket does not exist."),
			want:   storage.BucketNotFound,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{"PATCH /b/photos": {bucketIsThere}, "GET /b/photos/iam": {tt.get}, "PUT /b/photos/iam": {tt.put}})
			_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(tt.public)))
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.hint)
			require.Len(t, w.bodies["PUT /b/photos/iam"], tt.tries)
		})
	}
}

func TestBucketInfoWithoutPermissionToReadThePolicy(t *testing.T) {
	for name, ask := range map[string]func(driver.ServiceDriver) (*storage.BucketInfo, error){
		"BucketInfo, which tells what is missing": func(s driver.ServiceDriver) (*storage.BucketInfo, error) {
			info, err := s.BucketInfo(t.Context(), "photos")
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.ErrorContains(t, err, "permit storage.buckets.getIamPolicy")
			return info, nil
		},
		"an update, which has been made": func(s driver.ServiceDriver) (*storage.BucketInfo, error) {
			return s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{
				"GET /b/photos":     {bucketIsThere},
				"PATCH /b/photos":   {bucketIsThere},
				"GET /b/photos/iam": {refusal(403, "forbidden", "no")},
			})
			info, err := ask(s)
			require.NoError(t, err)
			require.Equal(t, "photos", info.Name)
			require.False(t, info.Public)
			require.Equal(t, []string{"Public"}, info.Unread)
			require.Len(t, w.requests, 2)
		})
	}
}

// CreateBucket sends three requests for a public bucket.
func TestCreateBucketPublicRequests(t *testing.T) {
	s, w := newManagingService(t, Config{}, map[string][]string{
		"POST /b":           {bucketIsThere},
		"GET /b/photos/iam": {"200 " + policyOf(owner)},
		"PUT /b/photos/iam": {`200 {"kind":"storage#policy"}`},
	})
	info, err := s.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.NoError(t, err)
	require.True(t, info.Public)
	require.Equal(t, []string{"POST /b", "GET /b/photos/iam", "PUT /b/photos/iam"}, w.requests)

	var request struct {
		IamConfiguration struct {
			PublicAccessPrevention   string
			UniformBucketLevelAccess struct{ Enabled bool }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(w.bodies["POST /b"][0]), &request))
	require.Equal(t, "inherited", request.IamConfiguration.PublicAccessPrevention)
	require.True(t, request.IamConfiguration.UniformBucketLevelAccess.Enabled)
}
