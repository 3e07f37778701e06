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
	for name, test := range map[string]struct {
		public   bool
		policies []string // the responses to reading the policy, in order
		puts     []string // the responses to writing it
		written  string   // the last one written; "" if none is
		requests []string // about the policy
	}{
		"granted": {true, []string{policyOf(owner)}, []string{`200 {"kind":"storage#policy"}`},
			policyOf(owner + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`), []string{get, put}},
		"granted in addition to others": {true, []string{policyOf(`{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com"]}`)}, []string{`200 {"kind":"storage#policy"}`},
			policyOf(`{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com","allUsers"]}`), []string{get, put}},
		"granted without the condition of another binding": {true, []string{policyOf(conditional)}, []string{`200 {"kind":"storage#policy"}`},
			policyOf(conditional + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`), []string{get, put}},
		"granted, so far only to those with an account": {true, []string{policyOf(`{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]}`)}, []string{`200 {"kind":"storage#policy"}`},
			policyOf(`{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]},{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`), []string{get, put}},
		"taken from those with an account": {false, []string{policyOf(owner + `,{"role":"roles/storage.objectViewer","members":["allAuthenticatedUsers"]}`)}, []string{`200 {"kind":"storage#policy"}`},
			policyOf(owner), []string{get, put}},
		"granted already": {true, []string{policyOf(`{"role":"roles/storage.objectAdmin","members":["allUsers"]}`)}, nil, "", []string{get}},
		"taken, whatever it was": {false, []string{policyOf(owner + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers","user:a@example.com"]},{"role":"roles/storage.legacyBucketReader","members":["allUsers"]},` + conditional)}, []string{`200 {"kind":"storage#policy"}`},
			policyOf(owner + `,{"role":"roles/storage.legacyObjectReader","members":["user:a@example.com"]},` + conditional), []string{get, put}},
		"taken already": {false, []string{policyOf(owner)}, nil, "", []string{get}},
		"changed by others meanwhile": {true, []string{policyOf(owner), policyOf(conditional)}, []string{refusal(412, "conditionNotMet", conflict), `200 {"kind":"storage#policy"}`},
			policyOf(conditional + `,{"role":"roles/storage.legacyObjectReader","members":["allUsers"]}`), []string{get, put, get, put}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string][]string{"PATCH /b/photos": {bucketIsThere}, put: test.puts}
			for _, policy := range test.policies {
				answers[get] = append(answers[get], "200 "+policy)
			}
			s, w := managing(t, Config{}, answers)
			info, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(test.public)))
			require.NoError(t, err)
			require.Equal(t, test.public, info.Public)
			prevention := map[bool]string{true: "inherited", false: "enforced"}[test.public]
			require.JSONEq(t, `{"iamConfiguration":{"publicAccessPrevention":"`+prevention+`"}}`, w.bodies["PATCH /b/photos"][0], "uniform access stays as it is")
			require.Equal(t, append([]string{"PATCH /b/photos"}, test.requests...), w.requests)
			if test.written != "" {
				written := w.bodies[put]
				require.JSONEq(t, test.written, written[len(written)-1])
			}
		})
	}
}

// UpdateBucket explains why public access could not be changed, and tries again if another client changed the
// policy. https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy.
func TestUpdateBucketPublicErrors(t *testing.T) {
	for name, test := range map[string]struct {
		public   bool
		get, put string
		want     storage.Code
		hint     string
		tries    int
	}{
		"prevented from above":              {true, "200 " + policyOf(owner), refusal(412, "conditionNotMet", "public access prevention is enforced."), storage.PermissionDenied, "organization", 1},
		"prevented by a constraint":         {true, "200 " + policyOf(owner), refusal(412, "orgPolicyConstraintFailed", "Request violates constraint 'constraints/iam.allowedPolicyMemberDomains'"), storage.PermissionDenied, "organization", 1},
		"changed all the time":              {true, "200 " + policyOf(owner), refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."), storage.Unavailable, "other clients are changing", policyTries},
		"changed, as other services say it": {true, "200 " + policyOf(owner), refusal(409, "conflict", "no"), storage.Unavailable, "other clients are changing", policyTries},
		"may not":                           {true, "200 " + policyOf(owner), refusal(403, "forbidden", "no"), storage.PermissionDenied, "", 1},
		"a server without policies":         {true, "404 404 page not found", "", storage.Unsupported, "no IAM policies", 0},
		"no bucket any more":                {true, refusal(404, "notFound", "The specified bucket does not exist."), "", storage.BucketNotFound, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := managing(t, Config{}, map[string][]string{"PATCH /b/photos": {bucketIsThere}, "GET /b/photos/iam": {test.get}, "PUT /b/photos/iam": {test.put}})
			_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(test.public)))
			require.Equal(t, test.want, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, test.hint)
			require.Len(t, w.bodies["PUT /b/photos/iam"], test.tries)
		})
	}
}

func TestBucketInfoWithoutPermissionToReadThePolicy(t *testing.T) {
	for name, ask := range map[string]func(driver.ServiceDriver) (*storage.BucketInfo, error){
		"BucketInfo": func(s driver.ServiceDriver) (*storage.BucketInfo, error) { return s.BucketInfo(t.Context(), "photos") },
		"an update, which has been made": func(s driver.ServiceDriver) (*storage.BucketInfo, error) {
			return s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := managing(t, Config{}, map[string][]string{
				"GET /b/photos":     {bucketIsThere},
				"PATCH /b/photos":   {bucketIsThere},
				"GET /b/photos/iam": {refusal(403, "forbidden", "no")},
			})
			info, err := ask(s)
			require.NoError(t, err)
			require.Equal(t, "photos", info.Name)
			require.False(t, info.Public, "as far as it is known")
			require.Len(t, w.requests, 2)
		})
	}
}

// CreateBucket sends three requests for a public bucket.
func TestCreateBucketPublicRequests(t *testing.T) {
	s, w := managing(t, Config{}, map[string][]string{
		"POST /b":           {bucketIsThere},
		"GET /b/photos/iam": {"200 " + policyOf(owner)},
		"PUT /b/photos/iam": {`200 {"kind":"storage#policy"}`},
	})
	info, err := s.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithPublicAccess(true)))
	require.NoError(t, err)
	require.True(t, info.Public)
	require.Equal(t, []string{"POST /b", "GET /b/photos/iam", "PUT /b/photos/iam"}, w.requests)
	var made struct {
		IamConfiguration struct {
			PublicAccessPrevention   string
			UniformBucketLevelAccess struct{ Enabled bool }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(w.bodies["POST /b"][0]), &made))
	require.Equal(t, "inherited", made.IamConfiguration.PublicAccessPrevention)
	require.True(t, made.IamConfiguration.UniformBucketLevelAccess.Enabled)
}
