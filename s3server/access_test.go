package s3server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const readByAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`

// anonymousStatus returns the status of a GET without a signature.
func anonymousStatus(t *testing.T, s *store, key string) (status int) {
	response, _ := s.send(t, "GET", s.server.URL+"/"+bucket+"/"+key, nil, nil)
	return response.StatusCode
}

// A bucket policy with the principal "*" makes a bucket public.
func TestPolicyMakesBucketPublic(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")
	put := func(document string) error {
		_, err := s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
			Bucket: aws.String(bucket),
			Policy: &document,
		})
		return err
	}

	// The public access block of a new bucket refuses a policy that lets everybody read.
	require.Equal(t, 403, anonymousStatus(t, s, "k"))
	requireFailure(t, put(readByAll), 403, "AccessDenied")

	// A public access block that does not stop policies allows the policy.
	block := &types.PublicAccessBlockConfiguration{
		BlockPublicAcls:       aws.Bool(true),
		IgnorePublicAcls:      aws.Bool(true),
		BlockPublicPolicy:     aws.Bool(false),
		RestrictPublicBuckets: aws.Bool(false),
	}
	_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
		Bucket:                         aws.String(bucket),
		PublicAccessBlockConfiguration: block,
	})
	require.NoError(t, err)
	got, err := s.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, block, got.PublicAccessBlockConfiguration)

	// With the policy, everybody can read the objects and nothing else.
	require.NoError(t, put(readByAll))
	require.Equal(t, 200, anonymousStatus(t, s, "k"))
	require.Equal(t, 403, anonymousStatus(t, s, "none"), "not 404, because the bucket may not be listed")
	require.Equal(t, 403, anonymousStatus(t, s, "?list-type=2"))

	status, err := s.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.True(t, *status.PolicyStatus.IsPublic)

	document, err := s.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.JSONEq(t, readByAll, *document.Policy)

	// A malformed policy, or one for another bucket, is refused.
	requireFailure(t, put("{"), 400, "MalformedPolicy")
	requireFailure(t, put(strings.ReplaceAll(readByAll, "photos", "other")), 400, "MalformedPolicy")

	// Without the policy, the bucket is private again.
	_, err = s.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, 403, anonymousStatus(t, s, "k"))
	_, err = s.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	requireFailure(t, err, 404, "NoSuchBucketPolicy")
}

// A write with a header for tags, a lock or an ACL needs an action of its own besides s3:PutObject.
func TestPolicyActionsOfHeaders(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.allowPublicAccess(t)
	putAnonymously := func(t *testing.T, header, value string) (status int) {
		response, _ := s.send(t, "PUT", s.server.URL+"/"+bucket+"/k", strings.NewReader("x"), http.Header{
			header: {value},
		})
		return response.StatusCode
	}

	tests := []struct {
		name   string
		header string
		value  string
		action string // that the header needs besides s3:PutObject
	}{
		{name: "tags", header: "X-Amz-Tagging", value: "k=v", action: "s3:PutObjectTagging"},
		{name: "ACL", header: "X-Amz-Acl", value: "public-read", action: "s3:PutObjectAcl"},
		{
			name:   "legal hold",
			header: "X-Amz-Object-Lock-Legal-Hold",
			value:  "ON",
			action: "s3:PutObjectLegalHold",
		},
		{
			name:   "retention",
			header: "X-Amz-Object-Lock-Mode",
			value:  "GOVERNANCE",
			action: "s3:PutObjectRetention",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, s.setPolicy(policyOf(allowStatement("s3:PutObject", inKeys, ""))))
			require.Equal(t, 403, putAnonymously(t, tt.header, tt.value))

			// If the policy allows the action, the write can still fail for another reason: the
			// bucket has no object lock and no ACLs.
			require.NoError(t, s.setPolicy(policyOf(
				allowStatement("s3:PutObject", inKeys, ""),
				allowStatement(tt.action, inKeys, ""),
			)))
			require.NotEqual(t, 403, putAnonymously(t, tt.header, tt.value))
		})
	}

	t.Run("other header", func(t *testing.T) {
		require.NoError(t, s.setPolicy(policyOf(allowStatement("s3:PutObject", inKeys, ""))))
		require.Equal(t, 200, putAnonymously(t, "X-Other", "1"))
	})
}

// A write with an ACL header that gives permissions to other accounts needs s3:PutObjectAcl, also without
// Config.Strict. The account that owns the bucket needs no policy.
func TestPolicyActionOfAccessList(t *testing.T) {
	const (
		allowed = 200
		denied  = 403
	)
	s := startLenient(t, s3server.Config{Credentials: []s3server.Credential{
		{AccessKeyID: s3server.DefaultAccessKeyID, SecretKey: s3server.DefaultSecretKey},
		{AccessKeyID: "AKIAWRITER", SecretKey: "other-secret", Account: "210987654321"},
		{AccessKeyID: "AKIATHIRD", SecretKey: "other-secret", Account: "310987654321"},
	}})
	s.setOwnership(t, types.ObjectOwnershipObjectWriter)
	require.NoError(t, s.setPolicy(policyOf(allowStatement("s3:PutObject", inKeys, ""))))

	// The ACLs name the owner of the bucket, another account that writes, and a third account.
	clientOf := func(keyID string) *s3.Client {
		return s.client(func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(keyID, "other-secret", "")
		})
	}
	writer := clientOf("AKIAWRITER")
	ownerID := "id=" + canonicalID(t, s.Client)
	writerID := "id=" + canonicalID(t, writer)
	thirdID := "id=" + canonicalID(t, clientOf("AKIATHIRD"))
	const everybody = `uri="http://acs.amazonaws.com/groups/global/AllUsers"`

	tests := []struct {
		header        string
		value         string
		wantAnonymous int // status of an anonymous write
		wantWriter    int // status of a write by another account
		wantOwner     int // status of a write by the owner of the bucket
	}{
		{
			header:        "x-amz-acl",
			value:         "public-read",
			wantAnonymous: denied,
			wantWriter:    denied,
			wantOwner:     allowed,
		},
		{
			header:        "x-amz-acl",
			value:         "authenticated-read",
			wantAnonymous: denied,
			wantWriter:    denied,
			wantOwner:     allowed,
		},
		{
			header:        "x-amz-acl",
			value:         "private",
			wantAnonymous: allowed,
			wantWriter:    allowed,
			wantOwner:     allowed,
		},
		{
			header:        "x-amz-acl",
			value:         "bucket-owner-full-control",
			wantAnonymous: allowed,
			wantWriter:    allowed,
			wantOwner:     allowed,
		},
		{
			header:        "x-amz-grant-read",
			value:         everybody,
			wantAnonymous: denied,
			wantWriter:    denied,
			wantOwner:     allowed,
		},
		{
			header:        "x-amz-grant-read",
			value:         thirdID,
			wantAnonymous: denied,
			wantWriter:    denied,
			wantOwner:     allowed,
		},
		{
			header:        "x-amz-grant-read",
			value:         writerID,
			wantAnonymous: denied,
			wantWriter:    allowed,
			wantOwner:     allowed,
		},
		{
			header:        "x-amz-grant-full-control",
			value:         ownerID,
			wantAnonymous: allowed,
			wantWriter:    allowed,
			wantOwner:     allowed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.header+" "+tt.value, func(t *testing.T) {
			requireStatus := func(status int, err error) {
				t.Helper()
				if status == allowed {
					require.NoError(t, err)
					return
				}
				requireFailure(t, err, status, "AccessDenied")
			}

			// The anonymous request is not signed.
			response, body := s.send(t, "PUT", s.server.URL+"/photos/k", strings.NewReader("x"), http.Header{
				http.CanonicalHeaderKey(tt.header): {tt.value},
			})
			require.Equal(t, tt.wantAnonymous, response.StatusCode, body)

			// The requests of the accounts are signed.
			withHeader := s3.WithAPIOptions(smithyhttp.AddHeaderValue(tt.header, tt.value))
			_, err := writer.PutObject(t.Context(), putInput("k", "x"), withHeader)
			requireStatus(tt.wantWriter, err)
			_, err = s.PutObject(t.Context(), putInput("k", "x"), withHeader)
			requireStatus(tt.wantOwner, err)
		})
	}

	// The last ACL does not let everybody read.
	require.Equal(t, 403, anonymousStatus(t, s, "k"))
}

// The server refuses ACLs unless the bucket's ownership controls allow them.
func TestACLRefusedUnlessAllowed(t *testing.T) {
	withACL := func(acl types.ObjectCannedACL) *s3.PutObjectInput {
		input := putInput("k", "content")
		input.ACL = acl
		return input
	}

	// The ownership of a new bucket is BucketOwnerEnforced. Only ACLs that change nothing are allowed.
	s := startServer(t, s3server.Config{})
	_, err := s.PutObject(t.Context(), withACL(types.ObjectCannedACLPublicRead))
	requireFailure(t, err, 400, "AccessControlListNotSupported")
	_, err = s.PutObject(t.Context(), withACL(types.ObjectCannedACLBucketOwnerFullControl))
	require.NoError(t, err)

	// A lenient server ignores a private ACL.
	s = startLenient(t, s3server.Config{})
	_, err = s.PutObject(t.Context(), withACL(types.ObjectCannedACLPrivate))
	require.NoError(t, err)

	// With the ownership ObjectWriter, ACLs have effect.
	s.setOwnership(t, types.ObjectOwnershipObjectWriter)
	_, err = s.PutObject(t.Context(), withACL(types.ObjectCannedACLPublicRead))
	require.NoError(t, err)
	require.Equal(t, 200, anonymousStatus(t, s, "k"))
	list, err := s.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Len(t, list.Grants, 2, "the grants of the owner and of everybody")

	// The ACL of the object can be changed later, too.
	_, err = s.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
		ACL:    types.ObjectCannedACLPrivate,
	})
	require.NoError(t, err)
	require.Equal(t, 403, anonymousStatus(t, s, "k"))
}

// The server stores and returns the ownership controls of a bucket, and refuses an unknown ownership.
func TestOwnershipControls(t *testing.T) {
	s := startServer(t, s3server.Config{})
	setOwnership := func(ownership types.ObjectOwnership) error {
		_, err := s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
			Bucket:            aws.String(bucket),
			OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: ownership}}},
		})
		return err
	}

	require.NoError(t, setOwnership(types.ObjectOwnershipObjectWriter))

	// The refused request has not changed the ownership.
	requireFailure(t, setOwnership("Nobody"), 400, "MalformedXML")
	got, err := s.GetBucketOwnershipControls(t.Context(), &s3.GetBucketOwnershipControlsInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Equal(t, types.ObjectOwnershipObjectWriter, got.OwnershipControls.Rules[0].ObjectOwnership)

	// The public access block of the bucket still refuses public ACLs.
	public := putInput("k", "content")
	public.ACL = types.ObjectCannedACLPublicRead
	_, err = s.PutObject(t.Context(), public)
	requireFailure(t, err, 403, "AccessDenied")
}
