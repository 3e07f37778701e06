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

func anonymously(s *store, t *testing.T, key string) int {
	response, _ := s.send(t, "GET", s.server.URL+"/"+bucket+"/"+key, nil, nil)
	return response.StatusCode
}

// A bucket policy with the principal "*" makes a bucket public.
func TestPolicyMakesBucketPublic(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "content")
	put := func(document string) error {
		_, err := s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: &document})
		return err
	}
	require.Equal(t, 403, anonymously(s, t, "k"))
	failsWith(t, put(readByAll), 403, "AccessDenied")

	block := &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true), IgnorePublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(false), RestrictPublicBuckets: aws.Bool(false)}
	_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{Bucket: aws.String(bucket), PublicAccessBlockConfiguration: block})
	require.NoError(t, err)
	kept, err := s.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, block, kept.PublicAccessBlockConfiguration)

	require.NoError(t, put(readByAll))
	require.Equal(t, 200, anonymously(s, t, "k"))
	require.Equal(t, 403, anonymously(s, t, "none"), "without permission to list, a missing key is refused")
	require.Equal(t, 403, anonymously(s, t, "?list-type=2"))
	status, err := s.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.True(t, *status.PolicyStatus.IsPublic)
	document, err := s.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.JSONEq(t, readByAll, *document.Policy)

	failsWith(t, put("{"), 400, "MalformedPolicy")
	failsWith(t, put(strings.ReplaceAll(readByAll, "photos", "other")), 400, "MalformedPolicy")
	_, err = s.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, 403, anonymously(s, t, "k"))
	_, err = s.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 404, "NoSuchBucketPolicy")
}

// A header for tags, a lock or an ACL needs an action of its own. A policy that allows only s3:PutObject does not
// allow it.
func TestPolicyActionsOfHeaders(t *testing.T) {
	s := start(t, s3server.Config{})
	_, err := s.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	for _, row := range []struct{ name, header, value, action string }{
		{"no header", "X-Other", "1", ""},
		{"tags", "X-Amz-Tagging", "k=v", "s3:PutObjectTagging"},
		{"a list", "X-Amz-Acl", "public-read", "s3:PutObjectAcl"},
		{"a legal hold", "X-Amz-Object-Lock-Legal-Hold", "ON", "s3:PutObjectLegalHold"},
		{"a retention", "X-Amz-Object-Lock-Mode", "GOVERNANCE", "s3:PutObjectRetention"},
	} {
		for _, allowed := range []bool{false, true} {
			actions := `"s3:PutObject"`
			if allowed && row.action != "" {
				actions += `,"` + row.action + `"`
			}
			document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":[` + actions + `],"Resource":"arn:aws:s3:::photos/*"}]}`
			_, err := s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: &document})
			require.NoError(t, err)
			response, _ := s.send(t, "PUT", s.server.URL+"/"+bucket+"/k", strings.NewReader("x"), http.Header{row.header: {row.value}})
			require.Equal(t, !allowed && row.action != "", response.StatusCode == 403, "%s, %v: %d", row.name, allowed, response.StatusCode)
		}
	}
}

// An ACL header that gives other accounts permissions needs s3:PutObjectAcl, also without Config.Strict. The
// account that owns the bucket needs no policy.
func TestPolicyActionOfAccessList(t *testing.T) {
	const other, other2 = "210987654321", "310987654321"
	s := startLenient(t, s3server.Config{Credentials: []s3server.Credential{
		{AccessKeyID: s3server.DefaultAccessKeyID, SecretKey: s3server.DefaultSecretKey},
		{AccessKeyID: "AKIAOTHER", SecretKey: "other-secret", Account: other},
		{AccessKeyID: "AKIAOTHER2", SecretKey: "other-secret", Account: other2},
	}})
	s.own(t, types.ObjectOwnershipObjectWriter)
	idOf := func(key string) string {
		output, err := s.client(func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(key, "other-secret", "")
		}).ListBuckets(t.Context(), &s3.ListBucketsInput{})
		require.NoError(t, err)
		return "id=" + *output.Owner.ID
	}
	owner, err := s.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/*"}]}`
	_, err = s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: &document})
	require.NoError(t, err)
	others := s.client(func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("AKIAOTHER", "other-secret", "")
	})
	for _, row := range []struct {
		header, value               string
		anonymous, another, ofOwner int
	}{
		{"x-amz-acl", "public-read", 403, 403, 200},
		{"x-amz-acl", "authenticated-read", 403, 403, 200},
		{"x-amz-acl", "private", 200, 200, 200},
		{"x-amz-acl", "bucket-owner-full-control", 200, 200, 200},
		{"x-amz-grant-read", `uri="http://acs.amazonaws.com/groups/global/AllUsers"`, 403, 403, 200},
		{"x-amz-grant-read", idOf("AKIAOTHER2"), 403, 403, 200},
		{"x-amz-grant-read", idOf("AKIAOTHER"), 403, 200, 200},
		{"x-amz-grant-full-control", "id=" + *owner.Owner.ID, 200, 200, 200},
	} {
		response, body := s.send(t, "PUT", s.server.URL+"/photos/k", strings.NewReader("x"), http.Header{http.CanonicalHeaderKey(row.header): {row.value}})
		require.Equal(t, row.anonymous, response.StatusCode, "%v: %s", row, body)
		for client, want := range map[*s3.Client]int{others: row.another, s.Client: row.ofOwner} {
			_, err := client.PutObject(t.Context(), putInput("k", "x"), s3.WithAPIOptions(smithyhttp.AddHeaderValue(row.header, row.value)))
			if want == 200 {
				require.NoError(t, err, "%v", row)
				continue
			}
			failsWith(t, err, want, "AccessDenied")
		}
	}
	require.Equal(t, 403, anonymously(s, t, "k"))
}

// The server refuses ACLs unless the bucket's ownership controls allow them.
func TestACLRefusedUnlessAllowed(t *testing.T) {
	public := putInput("k", "content")
	public.ACL = types.ObjectCannedACLPublicRead
	s := start(t, s3server.Config{})
	_, err := s.PutObject(t.Context(), public)
	failsWith(t, err, 400, "AccessControlListNotSupported")
	public = putInput("k", "content")
	public.ACL = types.ObjectCannedACLBucketOwnerFullControl
	_, err = s.PutObject(t.Context(), public)
	require.NoError(t, err)

	s = startLenient(t, s3server.Config{})
	private := putInput("k", "content")
	private.ACL = types.ObjectCannedACLPrivate
	_, err = s.PutObject(t.Context(), private)
	require.NoError(t, err)
	s.own(t, types.ObjectOwnershipObjectWriter)
	public = putInput("k", "content")
	public.ACL = types.ObjectCannedACLPublicRead
	_, err = s.PutObject(t.Context(), public)
	require.NoError(t, err)
	require.Equal(t, 200, anonymously(s, t, "k"))
	list, err := s.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.NoError(t, err)
	require.Len(t, list.Grants, 2)
	_, err = s.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("k"), ACL: types.ObjectCannedACLPrivate})
	require.NoError(t, err)
	require.Equal(t, 403, anonymously(s, t, "k"))
}

// The server stores and returns the ownership controls of a bucket, and refuses an unknown ownership.
func TestOwnershipControls(t *testing.T) {
	s := start(t, s3server.Config{})
	own := func(ownership types.ObjectOwnership) error {
		_, err := s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
			Bucket:            aws.String(bucket),
			OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: ownership}}},
		})
		return err
	}
	require.NoError(t, own(types.ObjectOwnershipObjectWriter))
	public := putInput("k", "content")
	public.ACL = types.ObjectCannedACLPublicRead
	_, err := s.PutObject(t.Context(), public)
	failsWith(t, err, 403, "AccessDenied") // the block is still there
	failsWith(t, own("Nobody"), 400, "MalformedXML")
	got, err := s.GetBucketOwnershipControls(t.Context(), &s3.GetBucketOwnershipControlsInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, types.ObjectOwnershipObjectWriter, got.OwnershipControls.Rules[0].ObjectOwnership)
}
