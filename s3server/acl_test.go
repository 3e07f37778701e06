package s3server_test

import (
	"bytes"
	"mime/multipart"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const (
	everybodyURI = "http://acs.amazonaws.com/groups/global/AllUsers"
	signersURI   = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	logURI       = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// startWithACLs starts a lenient server with the two accounts of twoAccounts, and returns their canonical ids. Its
// bucket has access control lists.
func startWithACLs(t *testing.T) (s *store, myID, otherID string) {
	s = startLenient(t, s3server.Config{Credentials: twoAccounts})
	s.setOwnership(t, types.ObjectOwnershipObjectWriter)
	return s, canonicalID(t, s.Client), canonicalID(t, s.clientOf(otherKey))
}

// canonicalID returns the id of the client's account as ACLs name it.
func canonicalID(t *testing.T, client *s3.Client) string {
	list, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	return *list.Owner.ID
}

// describeGrants returns grants as "grantee permission".
func describeGrants(grants []types.Grant) (all []string) {
	for _, g := range grants {
		name := aws.ToString(g.Grantee.ID) + aws.ToString(g.Grantee.URI)
		all = append(all, name+" "+string(g.Permission))
	}
	return all
}

// bucketGrants returns the grants of the bucket's list.
func (s *store) bucketGrants(t *testing.T) []string {
	t.Helper()
	output, err := s.GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	return describeGrants(output.Grants)
}

// objectGrants returns the grants of an object's list.
func (s *store) objectGrants(t *testing.T, client *s3.Client, key string) []string {
	t.Helper()
	output, err := client.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{
		Bucket: aws.String(bucket),
		Key:    &key,
	})
	require.NoError(t, err)
	return describeGrants(output.Grants)
}

// The ACL of a bucket decides which accounts may use the bucket.
func TestACLOfBucketDecides(t *testing.T) {
	const (
		list   = "GET /photos?list-type=2"
		put    = "PUT /photos/new"
		remove = "DELETE /photos/k"
		getACL = "GET /photos?acl"
		putACL = "PUT /photos?acl"
	)
	s, _, otherID := startWithACLs(t)
	otherAccount := `id="` + otherID + `"`

	tests := []struct {
		name        string
		header      map[string]string // of the request that sets the ACL
		anonymously []string          // what may be done without a signature
		other       []string          // what the other account may do
	}{
		{name: "private", header: aclHeader("private")},
		{
			name:        "public-read",
			header:      aclHeader("public-read"),
			anonymously: []string{list},
			other:       []string{list},
		},
		{
			name:        "public-read-write",
			header:      aclHeader("public-read-write"),
			anonymously: []string{list, put, remove},
			other:       []string{list, put, remove},
		},
		{name: "authenticated-read", header: aclHeader("authenticated-read"), other: []string{list}},
		{name: "log-delivery-write", header: aclHeader("log-delivery-write")},
		{name: "READ", header: grantHeader("Read", otherAccount), other: []string{list}},
		{name: "WRITE", header: grantHeader("Write", otherAccount), other: []string{put, remove}},
		{name: "READ_ACP", header: grantHeader("Read-Acp", otherAccount), other: []string{getACL}},
		{name: "WRITE_ACP", header: grantHeader("Write-Acp", otherAccount), other: []string{putACL}},
		{
			name:   "FULL_CONTROL",
			header: grantHeader("Full-Control", otherAccount),
			other:  []string{list, put, remove, getACL, putACL},
		},
		{name: "READ for a group", header: grantHeader("Read", "uri="+signersURI), other: []string{list}},
		{
			name:        "READ_ACP for everyone",
			header:      grantHeader("Read-Acp", "uri="+everybodyURI),
			anonymously: []string{getACL},
			other:       []string{getACL},
		},
		{
			name: "two grants",
			header: map[string]string{
				"X-Amz-Grant-Read":  "uri=" + everybodyURI + ", id=" + otherID,
				"X-Amz-Grant-Write": "id=" + otherID,
			},
			anonymously: []string{list},
			other:       []string{list, put, remove},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for signer, allowed := range map[int][]string{nobody: tt.anonymously, otherKey: tt.other} {
				for _, operation := range []string{list, put, remove, getACL, putACL} {
					s.put(t, "k", "content")
					response, body := s.sendAs(t, ownerKey, "PUT", "/photos?acl", "", tt.header)
					require.Equal(t, 200, response.StatusCode, body)

					method, path, _ := strings.Cut(operation, " ")
					header := map[string]string{}
					if operation == putACL {
						header = aclHeader("private")
					}
					response, body = s.sendAs(t, signer, method, path, "", header)
					if slices.Contains(allowed, operation) {
						require.Less(t, response.StatusCode, 300, "%s by %d: %s", operation, signer, body)
					} else {
						require.Equal(t, 403, response.StatusCode, "%s by %d: %s", operation, signer, body)
					}

					response, _ = s.sendAs(t, ownerKey, "GET", "/photos?acl", "", nil)
					require.Equal(t, 200, response.StatusCode, "the owner may always")
				}
			}
		})
	}
}

// aclHeader returns the header that sets a canned ACL.
func aclHeader(acl string) map[string]string {
	return map[string]string{"X-Amz-Acl": acl}
}

// grantHeader returns the header that grants a permission, such as "Read-Acp".
func grantHeader(permission, grantee string) map[string]string {
	return map[string]string{"X-Amz-Grant-" + permission: grantee}
}

// The ACL of an object decides what anonymous requests and another account may do with it.
func TestACLOfObjectDecides(t *testing.T) {
	const (
		get    = "GET /photos/k"
		head   = "HEAD /photos/k"
		put    = "PUT /photos/k"
		getACL = "GET /photos/k?acl"
		putACL = "PUT /photos/k?acl"
	)
	s, _, otherID := startWithACLs(t)
	otherAccount := `id="` + otherID + `"`
	read := []string{get, head}

	tests := []struct {
		name        string
		header      map[string]string // of the request that puts the object
		anonymously []string          // what may be done without a signature
		other       []string          // what the other account may do
	}{
		{name: "private", header: aclHeader("private")},
		{name: "public-read", header: aclHeader("public-read"), anonymously: read, other: read},
		{name: "public-read-write", header: aclHeader("public-read-write"), anonymously: read, other: read},
		{name: "authenticated-read", header: aclHeader("authenticated-read"), other: read},
		{name: "bucket-owner-read", header: aclHeader("bucket-owner-read")},
		{name: "bucket-owner-full-control", header: aclHeader("bucket-owner-full-control")},
		{name: "READ", header: grantHeader("Read", otherAccount), other: read},
		{name: "WRITE", header: grantHeader("Write", otherAccount)},
		{name: "READ_ACP", header: grantHeader("Read-Acp", otherAccount), other: []string{getACL}},
		{name: "WRITE_ACP", header: grantHeader("Write-Acp", otherAccount), other: []string{putACL}},
		{
			name:   "FULL_CONTROL",
			header: grantHeader("Full-Control", otherAccount),
			other:  []string{get, head, getACL, putACL},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Each signer can do the allowed operations, and no others.
			for signer, allowed := range map[int][]string{nobody: tt.anonymously, otherKey: tt.other} {
				// Put the object before each operation, because the one before may have changed it.
				for _, operation := range []string{get, head, put, getACL, putACL} {
					response, body := s.sendAs(t, ownerKey, "PUT", "/photos/k", "content", tt.header)
					require.Equal(t, 200, response.StatusCode, body)

					method, path, _ := strings.Cut(operation, " ")
					header := map[string]string{}
					if operation == putACL {
						header = aclHeader("private")
					}
					response, body = s.sendAs(t, signer, method, path, "", header)
					succeeds := response.StatusCode < 300
					require.Equal(t, slices.Contains(allowed, operation), succeeds,
						"%s by %d: %s", operation, signer, body)
				}
			}
			require.Equal(t, "content", s.get(t, "k"))
		})
	}
}

// GetBucketAcl and GetObjectAcl return the ACL.
func TestACLIsShown(t *testing.T) {
	s, myID, otherID := startWithACLs(t)
	mineFull := myID + " FULL_CONTROL"

	tests := []struct {
		acl    types.BucketCannedACL
		grants []string
	}{
		{acl: "private", grants: []string{mineFull}},
		{acl: "public-read", grants: []string{everybodyURI + " READ", mineFull}},
		{
			acl:    "public-read-write",
			grants: []string{everybodyURI + " READ", everybodyURI + " WRITE", mineFull},
		},
		{acl: "authenticated-read", grants: []string{signersURI + " READ", mineFull}},
		{
			acl:    "log-delivery-write",
			grants: []string{logURI + " WRITE", logURI + " READ_ACP", mineFull},
		},
		{acl: "bucket-owner-read", grants: []string{mineFull}},
	}
	for _, tt := range tests {
		_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: tt.acl})
		require.NoError(t, err)
		require.Equal(t, tt.grants, s.bucketGrants(t), tt.acl)
	}

	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "public-read-write",
	})
	require.NoError(t, err)
	other := s.clientOf(otherKey)
	for acl, grants := range map[types.ObjectCannedACL][]string{
		"private":                   {otherID + " FULL_CONTROL"},
		"bucket-owner-read":         {otherID + " FULL_CONTROL", myID + " READ"},
		"bucket-owner-full-control": {otherID + " FULL_CONTROL", mineFull},
		"public-read":               {everybodyURI + " READ", otherID + " FULL_CONTROL"},
	} {
		input := putInput("theirs", "content")
		input.ACL = acl
		_, err := other.PutObject(t.Context(), input)
		require.NoError(t, err)

		require.Equal(t, grants, s.objectGrants(t, other, "theirs"), acl)
		output, err := other.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("theirs"),
		})
		require.NoError(t, err)
		require.Equal(t, otherID, *output.Owner.ID)

		_, err = s.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("theirs"),
		})
		if acl == "private" {
			requireFailure(t, err, 403, "AccessDenied") // the bucket's owner needs a grant
		} else {
			require.NoError(t, err)
		}
	}

	list, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket:     aws.String(bucket),
		FetchOwner: aws.Bool(true),
	})
	require.NoError(t, err)
	require.Equal(t, otherID, *list.Contents[0].Owner.ID)

	_, err = s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("theirs"),
	})
	require.NoError(t, err, "the bucket's owner may remove what it may not read")

	input := putInput("granted", "content")
	input.GrantRead = aws.String("uri=" + everybodyURI)
	input.GrantFullControl = aws.String("id=" + otherID)
	_, err = s.PutObject(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, []string{everybodyURI + " READ", otherID + " FULL_CONTROL"},
		s.objectGrants(t, s.Client, "granted"))
}

// PutBucketAcl and PutObjectAcl take an ACL as an XML document.
func TestACLInDocument(t *testing.T) {
	s, myID, otherID := startWithACLs(t)
	s.put(t, "k", "content")
	document := func(owner string, grants ...types.Grant) *types.AccessControlPolicy {
		return &types.AccessControlPolicy{
			Owner:  &types.Owner{ID: &owner},
			Grants: append([]types.Grant{}, grants...),
		}
	}
	user := func(id string, permission types.Permission) types.Grant {
		return types.Grant{
			Grantee:    &types.Grantee{Type: types.TypeCanonicalUser, ID: &id},
			Permission: permission,
		}
	}
	group := func(uri string, permission types.Permission) types.Grant {
		return types.Grant{Grantee: &types.Grantee{Type: types.TypeGroup, URI: &uri}, Permission: permission}
	}
	put := func(client *s3.Client, policy *types.AccessControlPolicy) error {
		_, err := client.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{
			Bucket:              aws.String(bucket),
			Key:                 aws.String("k"),
			AccessControlPolicy: policy,
		})
		return err
	}
	require.NoError(t,
		put(s.Client, document(myID, user(myID, "FULL_CONTROL"), group(everybodyURI, "READ"), user(otherID, "WRITE_ACP"))))

	require.Equal(t, []string{everybodyURI + " READ", myID + " FULL_CONTROL", otherID + " WRITE_ACP"},
		s.objectGrants(t, s.Client, "k"))
	require.Equal(t, 200, anonymousStatus(t, s, "k"))

	other := s.clientOf(otherKey)
	require.NoError(t, put(other, document(myID, user(otherID, "READ_ACP"))))
	require.Equal(t, []string{otherID + " READ_ACP"}, s.objectGrants(t, other, "k"))
	requireFailure(t, put(other, document(myID)), 403, "AccessDenied")

	require.NoError(t, put(s.Client, document(myID)))
	require.Empty(t, s.objectGrants(t, s.Client, "k"))
	require.Equal(t, "content", s.get(t, "k"), "the owner may always")

	email := types.Grant{
		Grantee: &types.Grantee{
			Type:         types.TypeAmazonCustomerByEmail,
			EmailAddress: aws.String("a@example.com"),
		},
		Permission: "READ",
	}
	tests := []struct {
		code   string
		policy *types.AccessControlPolicy
	}{
		{code: "AccessDenied", policy: document(otherID)},
		{code: "InvalidArgument", policy: document(myID, user("_foo", "READ"))},
		{code: "UnresolvableGrantByEmailAddress", policy: document(myID, email)},
		{code: "MalformedACLError", policy: document(myID, user(myID, "FLY"))},
	}
	for _, tt := range tests {
		requireFailure(t, put(s.Client, tt.policy), map[bool]int{
			true:  403,
			false: 400,
		}[tt.code == "AccessDenied"], tt.code)
	}
	requireFailure(t, put(s.Client, document(myID, group("http://acs.amazonaws.com/groups/x", "READ"))),
		400, "InvalidArgument")
	require.Empty(t, s.objectGrants(t, s.Client, "k"))

	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket:              aws.String(bucket),
		AccessControlPolicy: document(myID, user(otherID, "WRITE")),
	})
	require.NoError(t, err)
	require.Equal(t, []string{otherID + " WRITE"}, s.bucketGrants(t))
}

// The server refuses these ACLs.
func TestACLRefused(t *testing.T) {
	s, _, otherID := startWithACLs(t)
	s.put(t, "k", "content")
	document := "<AccessControlPolicy><Owner><ID>x</ID></Owner><AccessControlList/></AccessControlPolicy>"

	tests := []struct {
		name       string
		path, body string
		header     map[string]string
		status     int
		code       string
	}{
		{name: "nothing", path: "/photos?acl", status: 400, code: "MissingSecurityHeader"},
		{
			name:   "nothing, for an object",
			path:   "/photos/k?acl",
			status: 400,
			code:   "MissingSecurityHeader",
		},
		{
			name:   "a header and a document",
			path:   "/photos?acl",
			body:   document,
			header: map[string]string{"X-Amz-Acl": "private"},
			status: 400,
			code:   "UnexpectedContent",
		},
		{
			name:   "a canned list and a grant",
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Acl": "private", "X-Amz-Grant-Read": "id=" + otherID},
			status: 400,
			code:   "InvalidRequest",
		},
		{
			name:   "an unknown canned list",
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Acl": "mine"},
			status: 400,
			code:   "InvalidArgument",
		},
		{
			name:   "a list of buckets",
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Acl": "log-delivery-write"},
			status: 400,
			code:   "InvalidArgument",
		},
		{
			name:   "a list that is not here",
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Acl": "aws-exec-read"},
			status: 501,
			code:   "NotImplemented",
		},
		{
			name:   "a grant to nobody",
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Grant-Read": "everyone"},
			status: 400,
			code:   "InvalidArgument",
		},
		{
			name:   "a grant to an unknown id",
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Grant-Read": "id=1"},
			status: 400,
			code:   "InvalidArgument",
		},
		{
			name:   "a grant by email",
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Grant-Read": "emailAddress=a@b.c"},
			status: 400,
			code:   "UnresolvableGrantByEmailAddress",
		},
		{
			name:   "a document of other XML",
			path:   "/photos?acl",
			body:   "<Tagging/>",
			status: 400,
			code:   "MalformedACLError",
		},
		{
			name:   "a document without owner",
			path:   "/photos?acl",
			body:   "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>",
			status: 400,
			code:   "MalformedACLError",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendAs(t, ownerKey, "PUT", tt.path, tt.body, tt.header)
			require.Equal(t, tt.status, response.StatusCode, body)
			require.Equal(t, tt.code, parseError(t, body).Code)
		})
	}
	require.Equal(t, "content", s.get(t, "k"))
}

// The ownership controls decide who owns an object.
func TestOwnershipDecidesOwner(t *testing.T) {
	tests := []struct {
		ownership types.ObjectOwnership
		acl       types.ObjectCannedACL
		mine      bool
	}{
		{ownership: "BucketOwnerEnforced", acl: "", mine: true},
		{ownership: "BucketOwnerEnforced", acl: "bucket-owner-full-control", mine: true},
		{ownership: "BucketOwnerPreferred", acl: "", mine: false},
		{ownership: "BucketOwnerPreferred", acl: "private", mine: false},
		{ownership: "BucketOwnerPreferred", acl: "bucket-owner-full-control", mine: true},
		{ownership: "ObjectWriter", acl: "", mine: false},
		{ownership: "ObjectWriter", acl: "bucket-owner-full-control", mine: false},
	}
	for _, tt := range tests {
		t.Run(string(tt.ownership)+" "+string(tt.acl), func(t *testing.T) {
			s, myID, otherID := startWithACLs(t)
			_, err := s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
				Bucket:            aws.String(bucket),
				OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: tt.ownership}}},
			})
			require.NoError(t, err)
			require.NoError(t,
				s.setPolicy(policyOf(allowStatement("*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, ""))))
			input := putInput("k", "content")
			input.ACL = tt.acl
			other := s.clientOf(otherKey)
			_, err = other.PutObject(t.Context(), input)
			require.NoError(t, err)

			output, err := other.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("k"),
			})
			require.NoError(t, err)
			require.Equal(t, map[bool]string{true: myID, false: otherID}[tt.mine], *output.Owner.ID)

			u, err := other.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("u"),
				ACL:    tt.acl,
			})
			require.NoError(t, err)
			parts, err := other.ListParts(t.Context(), &s3.ListPartsInput{
				Bucket:   aws.String(bucket),
				Key:      aws.String("u"),
				UploadId: u.UploadId,
			})
			require.NoError(t, err)
			require.Equal(t, *output.Owner.ID, *parts.Owner.ID)
			require.Equal(t, otherID, *parts.Initiator.ID)

			// A policy of the bucket's owner says nothing about objects of others.
			response, _ := s.sendAs(t, nobody, "GET", "/photos/k", "", nil)
			require.Equal(t, map[bool]int{true: 200, false: 403}[tt.mine], response.StatusCode)

			public := putInput("p", "content")
			public.ACL = types.ObjectCannedACLPublicRead
			_, err = s.PutObject(t.Context(), public)
			_, aclErr := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
				Bucket: aws.String(bucket),
				ACL:    "private",
			})
			if tt.ownership == "BucketOwnerEnforced" {
				requireFailure(t, err, 400, "AccessControlListNotSupported")
				requireFailure(t, aclErr, 400, "AccessControlListNotSupported")
				return
			}
			require.NoError(t, err)
			require.NoError(t, aclErr)
		})
	}
}

// The public access block of a bucket stops ACLs that would make it or its objects public.
func TestPublicAccessBlockStopsPublicACL(t *testing.T) {
	s, _, otherID := startWithACLs(t)
	public := func(key string) *s3.PutObjectInput {
		input := putInput(key, "content")
		input.ACL = types.ObjectCannedACLPublicRead
		return input
	}
	block := func(b types.PublicAccessBlockConfiguration) {
		_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
			Bucket:                         aws.String(bucket),
			PublicAccessBlockConfiguration: &b,
		})
		require.NoError(t, err)
	}
	// Without a block, the bucket and an object become public.
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "public-read",
	})
	require.NoError(t, err)
	_, err = s.PutObject(t.Context(), public("old"))
	require.NoError(t, err)
	require.Equal(t, 200, anonymousStatus(t, s, "old"))

	// BlockPublicAcls refuses new public ACLs, for everyone or for all accounts. The old ones stay.
	block(types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)})
	require.Equal(t, 200, anonymousStatus(t, s, "old"))

	_, err = s.PutObject(t.Context(), public("new"))
	requireFailure(t, err, 403, "AccessDenied")
	input := putInput("new", "content")
	input.GrantRead = aws.String("uri=" + signersURI)
	_, err = s.PutObject(t.Context(), input)
	requireFailure(t, err, 403, "AccessDenied")

	_, err = s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "authenticated-read",
	})
	requireFailure(t, err, 403, "AccessDenied")

	// A grant to one account is not public.
	input = putInput("new", "content")
	input.GrantRead = aws.String("id=" + otherID)
	_, err = s.PutObject(t.Context(), input)
	require.NoError(t, err)

	// IgnorePublicAcls accepts public ACLs, which have no effect.
	block(types.PublicAccessBlockConfiguration{IgnorePublicAcls: aws.Bool(true)})
	_, err = s.PutObject(t.Context(), public("newer"))
	require.NoError(t, err)
	tests := []struct {
		path   string
		status int
	}{
		{path: "/photos/old", status: 403},
		{path: "/photos/newer", status: 403},
		{path: "/photos?list-type=2", status: 403},
		{path: "/photos/new", status: 200},
	}
	for _, tt := range tests {
		response, _ := s.sendAs(t, otherKey, "GET", tt.path, "", nil)
		require.Equal(t, tt.status, response.StatusCode, tt.path)
	}
}

// CreateBucket of an existing bucket cannot set an ACL that its public access block or ownership controls refuse.
func TestPublicAccessBlockOfRecreatedBucket(t *testing.T) {
	tests := []struct {
		name              string
		blocksPublicLists bool
		ownership         types.ObjectOwnership
		code              string
	}{
		{
			name:              "a blocked public list",
			blocksPublicLists: true,
			ownership:         types.ObjectOwnershipObjectWriter,
			code:              "InvalidBucketAclWithBlockPublicAccessError",
		},
		{
			name:      "an ownership without ACLs",
			ownership: types.ObjectOwnershipBucketOwnerEnforced,
			code:      "InvalidBucketAclWithObjectOwnership",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startLenient(t, s3server.Config{})
			_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
				Bucket: aws.String(bucket),
				PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
					BlockPublicAcls: &tt.blocksPublicLists,
				},
			})
			require.NoError(t, err)
			_, err = s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
				Bucket:            aws.String(bucket),
				OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: tt.ownership}}},
			})
			require.NoError(t, err)

			// The owner creates the bucket again, which would make its ACL public.
			_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{
				Bucket:          aws.String(bucket),
				ACL:             types.BucketCannedACLPublicRead,
				ObjectOwnership: tt.ownership,
			})
			requireFailure(t, err, 400, tt.code)

			// The ACL was not set, so nobody else can list the bucket.
			response, _ := s.send(t, "GET", s.server.URL+"/photos?list-type=2", nil, nil)
			require.Equal(t, 403, response.StatusCode)
		})
	}
}

// CreateBucket sets the ACL that its headers describe, or resets it if the owner creates the bucket again.
func TestCreateBucketWithACL(t *testing.T) {
	s, myID, otherID := startWithACLs(t)

	_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:          aws.String("new"),
		GrantRead:       aws.String("id=" + otherID),
		ObjectOwnership: types.ObjectOwnershipObjectWriter,
	})
	require.NoError(t, err)

	// The other account may read the bucket, and the owner has no grant in the list.
	grants := func() []string {
		output, err := s.GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String("new")})
		require.NoError(t, err)
		return describeGrants(output.Grants)
	}
	require.Equal(t, []string{otherID + " READ"}, grants())

	_, err = s.clientOf(otherKey).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("new")})
	require.NoError(t, err)

	// Creating the bucket again without an ACL resets the list.
	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("new")})
	require.NoError(t, err)
	require.Equal(t, []string{myID + " FULL_CONTROL"}, grants())

	// An unknown ownership is refused.
	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:          aws.String("newer"),
		ObjectOwnership: "Nobody",
	})
	requireFailure(t, err, 400, "InvalidArgument")
}

// A POST form without a signature may write only where anonymous requests may, for the bucket's owner.
func TestFormWithoutSignatureIsAnonymous(t *testing.T) {
	s, myID, _ := startWithACLs(t)
	postForm := func() (status int) {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		require.NoError(t, form.WriteField("key", "posted"))
		require.NoError(t, form.WriteField("acl", "public-read"))
		file, err := form.CreateFormFile("file", "f")
		require.NoError(t, err)
		_, err = file.Write([]byte("content"))
		require.NoError(t, err)
		require.NoError(t, form.Close())
		response, _ := s.sendAs(t, nobody, "POST", "/photos", body.String(), map[string]string{
			"Content-Type": form.FormDataContentType(),
		})
		return response.StatusCode
	}

	// At first, only the owner may write to the bucket.
	require.Equal(t, 403, postForm())

	// When everybody may write, the object belongs to the bucket's owner.
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "public-read-write",
	})
	require.NoError(t, err)
	require.Equal(t, 204, postForm())
	require.Equal(t, "content", s.get(t, "posted"))
	listed, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket:     aws.String(bucket),
		FetchOwner: aws.Bool(true),
	})
	require.NoError(t, err)
	require.Equal(t, myID, *listed.Contents[0].Owner.ID)
}

// A policy can make a drop box: a bucket to which everybody may write, and which only its owner may read.
func TestPolicyMakesDropBox(t *testing.T) {
	for _, ownership := range []types.ObjectOwnership{"", "ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"} {
		t.Run(string(ownership), func(t *testing.T) {
			s := startLenient(t, s3server.Config{Credentials: twoAccounts})
			if ownership != "" {
				s.setOwnership(t, ownership)
			}

			// Everybody may write.
			require.NoError(t, s.setPolicy(
				`{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": `+inKeys+`}}`))

			response, body := s.sendAs(t, nobody, "PUT", "/photos/k", "content", nil)
			require.Equal(t, 200, response.StatusCode, body)

			// Only the owner may read the object, and not even who has written it.
			requests := []struct {
				method, path string
				header       map[string]string
			}{
				{method: "GET", path: "/photos/k"},
				{method: "HEAD", path: "/photos/k"},
				{method: "GET", path: "/photos/k?acl"},
				{method: "PUT", path: "/photos/k?acl", header: aclHeader("public-read")},
			}
			for _, signer := range []int{nobody, otherKey} {
				for _, r := range requests {
					response, _ = s.sendAs(t, signer, r.method, r.path, "", r.header)
					require.Equal(t, 403, response.StatusCode, "%s %s by %d", r.method, r.path, signer)
				}
			}
			require.Equal(t, "content", s.get(t, "k"))
		})
	}
}

// setOwnership sets who owns new objects of the bucket, and whether there are access control lists.
func (s *store) setOwnership(t *testing.T, ownership types.ObjectOwnership) {
	t.Helper()
	rule := types.OwnershipControlsRule{ObjectOwnership: ownership}
	_, err := s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
		Bucket:            aws.String(bucket),
		OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{rule}},
	})
	require.NoError(t, err)
}

// Only the account that began an upload and the owner of the bucket can abort it.
func TestCreateMultipartUploadOwner(t *testing.T) {
	s, _, _ := startWithACLs(t)
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "public-read-write",
	})
	require.NoError(t, err)

	begin := func(client *s3.Client) *string {
		u, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("u"),
		})
		require.NoError(t, err)
		return u.UploadId
	}
	abort := func(client *s3.Client, id *string) error {
		_, err := client.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{
			Bucket:   aws.String(bucket),
			Key:      aws.String("u"),
			UploadId: id,
		})
		return err
	}

	// The ACL lets the other account begin uploads, but not abort those of the owner.
	other := s.clientOf(otherKey)
	requireFailure(t, abort(other, begin(s.Client)), 403, "AccessDenied")
	require.NoError(t, abort(other, begin(other)))
	require.NoError(t, abort(s.Client, begin(other)))
}
