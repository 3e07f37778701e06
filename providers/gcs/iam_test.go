package gcs

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

const (
	owner       = `{"role":"roles/storage.legacyBucketOwner","members":["projectOwner:p"]}`
	conditional = `{"role":"roles/storage.legacyObjectReader","members":["user:b@example.com"],"condition":{"expression":"request.time < timestamp('2030-01-01T00:00:00Z')","title":"t"}}`
)

// policyJSON returns a policy in the form in which the server sends it and the driver writes it
// back.
func policyJSON(bindings string) string {
	return `{"version":3,"etag":"CAE=","bindings":[` + bindings + `]}`
}

// UpdateBucket with WithPublicAccess grants or revokes public access by a change of the bucket's IAM policy. It writes
// no policy if the access is as requested already.
func TestUpdateBucketPublic(t *testing.T) {
	const conflict = "The policy was changed by somebody else."
	const success = `200 {"kind":"storage#policy"}`
	get := "GET /b/photos/iam"
	put := "PUT /b/photos/iam"
	tests := []struct {
		name         string
		public       bool
		policies     []string // as the server returns them, in order
		putReplies   []string // the responses to writing a policy, in order
		wantWritten  string   // the last policy that is written; "" if none is
		wantRequests []string // about the policy
	}{
		{
			name:         "granted",
			public:       true,
			policies:     []string{policyJSON(owner)},
			putReplies:   []string{success},
			wantWritten:  policyJSON(owner + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`),
			wantRequests: []string{get, put},
		},
		{
			name:         "granted, another reader stays",
			public:       true,
			policies:     []string{policyJSON(`{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com"]}`)},
			putReplies:   []string{success},
			wantWritten:  policyJSON(`{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com","allUsers"]}`),
			wantRequests: []string{get, put},
		},
		{
			name:         "granted, a binding with a condition stays",
			public:       true,
			policies:     []string{policyJSON(conditional)},
			putReplies:   []string{success},
			wantWritten:  policyJSON(conditional + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`),
			wantRequests: []string{get, put},
		},
		{
			name:         "granted, all accounts of Google had access",
			public:       true,
			policies:     []string{policyJSON(`{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]}`)},
			putReplies:   []string{success},
			wantWritten:  policyJSON(`{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]},{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`),
			wantRequests: []string{get, put},
		},
		{
			name:         "revoked from all accounts of Google",
			public:       false,
			policies:     []string{policyJSON(owner + `,{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]}`)},
			putReplies:   []string{success},
			wantWritten:  policyJSON(owner),
			wantRequests: []string{get, put},
		},
		{
			name:         "granted already",
			public:       true,
			policies:     []string{policyJSON(`{"role":"roles/storage.objectAdmin","members":["allUsers"]}`)},
			wantRequests: []string{get},
		},
		{
			name:         "revoked from several roles, other members stay",
			public:       false,
			policies:     []string{policyJSON(owner + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers","user:a@example.com"]},{"role":"roles/storage.legacyBucketReader","members":["allUsers"]},` + conditional)},
			putReplies:   []string{success},
			wantWritten:  policyJSON(owner + `,{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com"]},` + conditional),
			wantRequests: []string{get, put},
		},
		{
			name:         "revoked already",
			public:       false,
			policies:     []string{policyJSON(owner)},
			wantRequests: []string{get},
		},
		{
			name:         "granted, policy changed meanwhile by another client",
			public:       true,
			policies:     []string{policyJSON(owner), policyJSON(conditional)},
			putReplies:   []string{errorAnswer(412, "conditionNotMet", conflict), success},
			wantWritten:  policyJSON(conditional + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`),
			wantRequests: []string{get, put, get, put},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := map[string][]string{"PATCH /b/photos": {bucketAnswer}, put: tt.putReplies}
			for _, policy := range tt.policies {
				answers[get] = append(answers[get], "200 "+policy)
			}
			service, transcript := newManagingService(t, Config{}, answers)

			info, err := service.UpdateBucket(t.Context(),
				wiretest.BucketRequest(storage.WithPublicAccess(tt.public)))
			require.NoError(t, err)
			require.Equal(t, tt.public, info.Public)

			// The patch permits or prevents public access, and leaves uniform access as it is.
			prevention := "enforced"
			if tt.public {
				prevention = "inherited"
			}
			require.JSONEq(t, `{"iamConfiguration":{"publicAccessPrevention":"`+prevention+`"}}`,
				transcript.bodies["PATCH /b/photos"][0])
			require.Equal(t, append([]string{"PATCH /b/photos"}, tt.wantRequests...), transcript.requests)

			if tt.wantWritten != "" {
				body := transcript.bodies[put]
				require.JSONEq(t, tt.wantWritten, body[len(body)-1])
			}
		})
	}
}

// UpdateBucket explains why public access could not be changed, and tries again if another client changed the
// policy. https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy.
func TestUpdateBucketPublicErrors(t *testing.T) {
	tests := []struct {
		name     string
		get, put string // the responses to reading and writing the policy
		want     storage.Code
		wantHint string
		wantPuts int
	}{
		{
			name:     "public access prevented by the organization",
			get:      "200 " + policyJSON(owner),
			put:      errorAnswer(412, "conditionNotMet", "public access prevention is enforced."),
			want:     storage.PermissionDenied,
			wantHint: "organization",
			wantPuts: 1,
		},
		{
			name: "public members forbidden by the organization",
			get:  "200 " + policyJSON(owner),
			put: errorAnswer(412, "orgPolicyConstraintFailed",
				"Request violates constraint 'constraints/iam.allowedPolicyMemberDomains'"),
			want:     storage.PermissionDenied,
			wantHint: "organization",
			wantPuts: 1,
		},
		{
			name: "policy changed by others before each write",
			get:  "200 " + policyJSON(owner),
			put: errorAnswer(412, "conditionNotMet",
				"At least one of the pre-conditions you specified did not hold."),
			want:     storage.Unavailable,
			wantHint: "other clients are changing",
			wantPuts: policyTries,
		},
		{
			name:     "policy changed by others, reported as 409",
			get:      "200 " + policyJSON(owner),
			put:      errorAnswer(409, "conflict", "no"),
			want:     storage.Unavailable,
			wantHint: "other clients are changing",
			wantPuts: policyTries,
		},
		{
			name:     "no permission",
			get:      "200 " + policyJSON(owner),
			put:      errorAnswer(403, "forbidden", "no"),
			want:     storage.PermissionDenied,
			wantPuts: 1,
		},
		{
			name:     "server without policies",
			get:      "404 404 page not found",
			want:     storage.Unsupported,
			wantHint: "no IAM policies",
		},
		{
			name: "bucket removed meanwhile",
			get:  errorAnswer(404, "notFound", "The specified bucket does not exist."),
			want: storage.BucketNotFound,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{}, map[string][]string{
				"PATCH /b/photos":   {bucketAnswer},
				"GET /b/photos/iam": {tt.get},
				"PUT /b/photos/iam": {tt.put},
			})
			_, err := service.UpdateBucket(t.Context(),
				wiretest.BucketRequest(storage.WithPublicAccess(true)))
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.wantHint)
			require.Len(t, transcript.bodies["PUT /b/photos/iam"], tt.wantPuts)
		})
	}
}

// Without permission to read the IAM policy, BucketInfo fails with PermissionDenied, and returns what it knows.
func TestBucketInfoWithoutPermissionToReadThePolicy(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		"GET /b/photos":     {bucketAnswer},
		"GET /b/photos/iam": {errorAnswer(403, "forbidden", "no")},
	})

	info, err := service.BucketInfo(t.Context(), "photos")

	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, "permit storage.buckets.getIamPolicy")
	requirePublicUnread(t, info)
	require.Len(t, transcript.requests, 2)
}

// Without permission to read the IAM policy, UpdateBucket succeeds, and lists Public as unread.
func TestUpdateBucketWithoutPermissionToReadThePolicy(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		"PATCH /b/photos":   {bucketAnswer},
		"GET /b/photos/iam": {errorAnswer(403, "forbidden", "no")},
	})

	info, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))

	require.NoError(t, err)
	requirePublicUnread(t, info)
	require.Len(t, transcript.requests, 2)
}

// requirePublicUnread requires that info lists Public, and no other field, as unread.
func requirePublicUnread(t *testing.T, info *storage.BucketInfo) {
	require.Equal(t, "photos", info.Name)
	require.False(t, info.Public)
	require.Equal(t, []string{"Public"}, info.Unread)
}

// CreateBucket creates a public bucket with uniform access, and then changes its IAM policy.
func TestCreateBucketPublicRequests(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		"POST /b":           {bucketAnswer},
		"GET /b/photos/iam": {"200 " + policyJSON(owner)},
		"PUT /b/photos/iam": {`200 {"kind":"storage#policy"}`},
	})

	info, err := service.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.NoError(t, err)
	require.True(t, info.Public)
	require.Equal(t, []string{"POST /b", "GET /b/photos/iam", "PUT /b/photos/iam"}, transcript.requests)

	// The new bucket does not prevent public access, and has uniform access.
	var request struct {
		IamConfiguration struct {
			PublicAccessPrevention   string
			UniformBucketLevelAccess struct{ Enabled bool }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(transcript.bodies["POST /b"][0]), &request))
	require.Equal(t, "inherited", request.IamConfiguration.PublicAccessPrevention)
	require.True(t, request.IamConfiguration.UniformBucketLevelAccess.Enabled)
}
