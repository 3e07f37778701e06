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
		name      string
		header    map[string]string // of the request that sets the ACL
		anonymous []string          // what may be done without a signature
		other     []string          // what the other account may do
	}{
		{name: "private", header: aclHeader("private")},
		{
			name:      "public-read",
			header:    aclHeader("public-read"),
			anonymous: []string{list},
			other:     []string{list},
		},
		{
			name:      "public-read-write",
			header:    aclHeader("public-read-write"),
			anonymous: []string{list, put, remove},
			other:     []string{list, put, remove},
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
			name:      "READ_ACP for everyone",
			header:    grantHeader("Read-Acp", "uri="+everybodyURI),
			anonymous: []string{getACL},
			other:     []string{getACL},
		},
		{
			name: "two grants",
			header: map[string]string{
				"X-Amz-Grant-Read":  "uri=" + everybodyURI + ", id=" + otherID,
				"X-Amz-Grant-Write": "id=" + otherID,
			},
			anonymous: []string{list},
			other:     []string{list, put, remove},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Each signer may do the allowed operations, and no others.
			for signer, allowed := range map[int][]string{nobody: tt.anonymous, otherKey: tt.other} {
				for _, operation := range []string{list, put, remove, getACL, putACL} {
					// Each operation starts with the same object and ACL, because the one before may have changed them.
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
					require.Equal(t, 200, response.StatusCode, "the owner may always read the ACL")
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
		name      string
		header    map[string]string // of the request that puts the object
		anonymous []string          // what may be done without a signature
		other     []string          // what the other account may do
	}{
		{name: "private", header: aclHeader("private")},
		{name: "public-read", header: aclHeader("public-read"), anonymous: read, other: read},
		{name: "public-read-write", header: aclHeader("public-read-write"), anonymous: read, other: read},
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
			for signer, allowed := range map[int][]string{nobody: tt.anonymous, otherKey: tt.other} {
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

// GetBucketAcl returns the grants of each canned ACL.
func TestACLIsShown(t *testing.T) {
	s, myID, _ := startWithACLs(t)
	ownerFull := myID + " FULL_CONTROL"
	tests := []struct {
		acl        types.BucketCannedACL
		wantGrants []string
	}{
		{acl: "private", wantGrants: []string{ownerFull}},
		{acl: "public-read", wantGrants: []string{everybodyURI + " READ", ownerFull}},
		{
			acl:        "public-read-write",
			wantGrants: []string{everybodyURI + " READ", everybodyURI + " WRITE", ownerFull},
		},
		{acl: "authenticated-read", wantGrants: []string{signersURI + " READ", ownerFull}},
		{
			acl:        "log-delivery-write",
			wantGrants: []string{logURI + " WRITE", logURI + " READ_ACP", ownerFull},
		},
		{acl: "bucket-owner-read", wantGrants: []string{ownerFull}},
	}
	for _, tt := range tests {
		t.Run(string(tt.acl), func(t *testing.T) {
			_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: tt.acl})
			require.NoError(t, err)
			require.Equal(t, tt.wantGrants, s.bucketGrants(t))
		})
	}
}

// An object belongs to the account that writes it, even in a bucket of another account. The bucket's owner can read
// the object only if its ACL permits that, but can always delete it.
func TestACLOfObjectInOthersBucket(t *testing.T) {
	s, bucketOwnerID, writerID := startWithACLs(t)
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    types.BucketCannedACLPublicReadWrite,
	})
	require.NoError(t, err)
	writer := s.clientOf(otherKey)
	writerFull := writerID + " FULL_CONTROL"

	tests := []struct {
		acl            types.ObjectCannedACL
		wantGrants     []string
		ownerMayNotGet bool // true if the owner of the bucket may not read the object
	}{
		{acl: "private", wantGrants: []string{writerFull}, ownerMayNotGet: true},
		{acl: "bucket-owner-read", wantGrants: []string{writerFull, bucketOwnerID + " READ"}},
		{acl: "bucket-owner-full-control", wantGrants: []string{writerFull, bucketOwnerID + " FULL_CONTROL"}},
		{acl: "public-read", wantGrants: []string{everybodyURI + " READ", writerFull}},
	}
	for _, tt := range tests {
		t.Run(string(tt.acl), func(t *testing.T) {
			input := putInput("theirs", "content")
			input.ACL = tt.acl
			_, err := writer.PutObject(t.Context(), input)
			require.NoError(t, err)

			output, err := writer.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("theirs"),
			})
			require.NoError(t, err)
			require.Equal(t, writerID, *output.Owner.ID)
			require.Equal(t, tt.wantGrants, describeGrants(output.Grants))

			// The bucket's owner needs a grant to read the object.
			_, err = s.GetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("theirs"),
			})
			if tt.ownerMayNotGet {
				requireFailure(t, err, 403, "AccessDenied")
				return
			}
			require.NoError(t, err)
		})
	}

	// A listing shows who owns the object.
	list, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket:     aws.String(bucket),
		FetchOwner: aws.Bool(true),
	})
	require.NoError(t, err)
	require.Equal(t, writerID, *list.Contents[0].Owner.ID)

	// The bucket's owner may delete an object that it may not read.
	private := putInput("theirs", "content")
	private.ACL = types.ObjectCannedACLPrivate
	_, err = writer.PutObject(t.Context(), private)
	require.NoError(t, err)
	s.deleteObject(t, "theirs")
}

// An object has the grants that headers of its PutObject name, and no others.
func TestACLInHeaders(t *testing.T) {
	s, _, otherID := startWithACLs(t)
	input := putInput("granted", "content")
	input.GrantRead = aws.String("uri=" + everybodyURI)
	input.GrantFullControl = aws.String("id=" + otherID)
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	want := []string{everybodyURI + " READ", otherID + " FULL_CONTROL"}
	require.Equal(t, want, s.objectGrants(t, s.Client, "granted"))
}

// PutBucketAcl and PutObjectAcl take an ACL as an XML document.
func TestACLInDocument(t *testing.T) {
	s, myID, otherID := startWithACLs(t)
	other := s.clientOf(otherKey)
	s.put(t, "k", "content")
	putACL := func(client *s3.Client, policy *types.AccessControlPolicy) error {
		_, err := client.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{
			Bucket:              aws.String(bucket),
			Key:                 aws.String("k"),
			AccessControlPolicy: policy,
		})
		return err
	}

	// Everybody may read the object, and the other account may change its ACL.
	public := newACL(
		myID,
		userGrant(myID, "FULL_CONTROL"),
		groupGrant(everybodyURI, "READ"),
		userGrant(otherID, "WRITE_ACP"),
	)
	require.NoError(t, putACL(s.Client, public))
	wantGrants := []string{everybodyURI + " READ", myID + " FULL_CONTROL", otherID + " WRITE_ACP"}
	require.Equal(t, wantGrants, s.objectGrants(t, s.Client, "k"))
	require.Equal(t, 200, anonymousStatus(t, s, "k"))

	// The other account replaces the ACL by one that lets it read the ACL, but not change it.
	require.NoError(t, putACL(other, newACL(myID, userGrant(otherID, "READ_ACP"))))
	require.Equal(t, []string{otherID + " READ_ACP"}, s.objectGrants(t, other, "k"))
	requireFailure(t, putACL(other, newACL(myID)), 403, "AccessDenied")

	// The object's owner needs no grant to change or read its ACL.
	require.NoError(t, putACL(s.Client, newACL(myID)))
	require.Empty(t, s.objectGrants(t, s.Client, "k"))
	require.Equal(t, "content", s.get(t, "k"))

	// The ACL of a bucket can be a document, too.
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket:              aws.String(bucket),
		AccessControlPolicy: newACL(myID, userGrant(otherID, "WRITE")),
	})
	require.NoError(t, err)
	require.Equal(t, []string{otherID + " WRITE"}, s.bucketGrants(t))
}

// PutObjectAcl refuses a document with another owner or with an invalid grant, and keeps the ACL.
func TestACLInDocumentRefused(t *testing.T) {
	s, myID, otherID := startWithACLs(t)
	s.put(t, "k", "content")
	before := s.objectGrants(t, s.Client, "k")
	emailGrant := types.Grant{
		Grantee: &types.Grantee{
			Type:         types.TypeAmazonCustomerByEmail,
			EmailAddress: aws.String("a@example.com"),
		},
		Permission: "READ",
	}
	tests := []struct {
		name       string
		policy     *types.AccessControlPolicy
		wantStatus int
		wantCode   string
	}{
		{name: "other owner", policy: newACL(otherID), wantStatus: 403, wantCode: "AccessDenied"},
		{
			name:       "unknown account",
			policy:     newACL(myID, userGrant("_foo", "READ")),
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "email address",
			policy:     newACL(myID, emailGrant),
			wantStatus: 400,
			wantCode:   "UnresolvableGrantByEmailAddress",
		},
		{
			name:       "unknown permission",
			policy:     newACL(myID, userGrant(myID, "FLY")),
			wantStatus: 400,
			wantCode:   "MalformedACLError",
		},
		{
			name:       "unknown group",
			policy:     newACL(myID, groupGrant("http://acs.amazonaws.com/groups/x", "READ")),
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{
				Bucket:              aws.String(bucket),
				Key:                 aws.String("k"),
				AccessControlPolicy: tt.policy,
			})
			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			require.Equal(t, before, s.objectGrants(t, s.Client, "k"))
		})
	}
}

// newACL returns an ACL of an owner.
func newACL(ownerID string, grants ...types.Grant) *types.AccessControlPolicy {
	return &types.AccessControlPolicy{
		Owner:  &types.Owner{ID: &ownerID},
		Grants: append([]types.Grant{}, grants...), // not nil, so that an ACL without grants can be sent
	}
}

// userGrant grants a permission to an account.
func userGrant(id string, permission types.Permission) types.Grant {
	return types.Grant{Grantee: &types.Grantee{Type: types.TypeCanonicalUser, ID: &id}, Permission: permission}
}

// groupGrant grants a permission to a group.
func groupGrant(uri string, permission types.Permission) types.Grant {
	return types.Grant{Grantee: &types.Grantee{Type: types.TypeGroup, URI: &uri}, Permission: permission}
}

// The server refuses a request that has no ACL, more than one or an invalid one.
func TestACLRefused(t *testing.T) {
	s, _, otherID := startWithACLs(t)
	s.put(t, "k", "content")
	document := "<AccessControlPolicy><Owner><ID>x</ID></Owner><AccessControlList/></AccessControlPolicy>"

	tests := []struct {
		name       string
		path, body string
		header     map[string]string
		wantStatus int
		wantCode   string
	}{
		{name: "no ACL", path: "/photos?acl", wantStatus: 400, wantCode: "MissingSecurityHeader"},
		{
			name:       "no ACL for an object",
			path:       "/photos/k?acl",
			wantStatus: 400,
			wantCode:   "MissingSecurityHeader",
		},
		{
			name:       "a header and a document",
			path:       "/photos?acl",
			body:       document,
			header:     map[string]string{"X-Amz-Acl": "private"},
			wantStatus: 400,
			wantCode:   "UnexpectedContent",
		},
		{
			name:       "a canned ACL and a grant",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Acl": "private", "X-Amz-Grant-Read": "id=" + otherID},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "an unknown canned ACL",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Acl": "mine"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "a canned ACL of buckets for an object",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Acl": "log-delivery-write"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "a canned ACL that is not implemented",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Acl": "aws-exec-read"},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "a grant to an invalid grantee",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Grant-Read": "everyone"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "a grant to an unknown id",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Grant-Read": "id=1"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "a grant by email",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Grant-Read": "emailAddress=a@b.c"},
			wantStatus: 400,
			wantCode:   "UnresolvableGrantByEmailAddress",
		},
		{
			name:       "a document of other XML",
			path:       "/photos?acl",
			body:       "<Tagging/>",
			wantStatus: 400,
			wantCode:   "MalformedACLError",
		},
		{
			name:       "a document without owner",
			path:       "/photos?acl",
			body:       "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>",
			wantStatus: 400,
			wantCode:   "MalformedACLError",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendAs(t, ownerKey, "PUT", tt.path, tt.body, tt.header)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			require.Equal(t, tt.wantCode, parseError(t, body).Code)
		})
	}
	require.Equal(t, "content", s.get(t, "k"))
}

// Another account writes an object or begins an upload. The bucket's ownership controls decide
// whether the object or upload belongs to the writing account or to the bucket's owner.
func TestOwnershipDecidesOwner(t *testing.T) {
	const (
		bucketOwner = "bucket owner"
		writer      = "writer"
	)
	tests := []struct {
		ownership types.ObjectOwnership
		acl       types.ObjectCannedACL // of the object
		wantOwner string
	}{
		{ownership: "BucketOwnerEnforced", acl: "", wantOwner: bucketOwner},
		{ownership: "BucketOwnerEnforced", acl: "bucket-owner-full-control", wantOwner: bucketOwner},
		{ownership: "BucketOwnerPreferred", acl: "", wantOwner: writer},
		{ownership: "BucketOwnerPreferred", acl: "private", wantOwner: writer},
		{ownership: "BucketOwnerPreferred", acl: "bucket-owner-full-control", wantOwner: bucketOwner},
		{ownership: "ObjectWriter", acl: "", wantOwner: writer},
		{ownership: "ObjectWriter", acl: "bucket-owner-full-control", wantOwner: writer},
	}
	for _, tt := range tests {
		t.Run(string(tt.ownership)+" "+string(tt.acl), func(t *testing.T) {
			s, bucketOwnerID, writerID := startWithACLs(t)
			s.setOwnership(t, tt.ownership)
			allowEverybody := allowStatement("*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, "")
			require.NoError(t, s.setPolicy(policyOf(allowEverybody)))
			ids := map[string]string{bucketOwner: bucketOwnerID, writer: writerID}
			wantID := ids[tt.wantOwner]

			// The other account writes an object.
			other := s.clientOf(otherKey)
			input := putInput("k", "content")
			input.ACL = tt.acl
			_, err := other.PutObject(t.Context(), input)
			require.NoError(t, err)
			output, err := other.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("k"),
			})
			require.NoError(t, err)
			require.Equal(t, wantID, *output.Owner.ID)

			// The other account begins an upload.
			upload, err := other.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("u"),
				ACL:    tt.acl,
			})
			require.NoError(t, err)
			parts, err := other.ListParts(t.Context(), &s3.ListPartsInput{
				Bucket:   aws.String(bucket),
				Key:      aws.String("u"),
				UploadId: upload.UploadId,
			})
			require.NoError(t, err)
			require.Equal(t, wantID, *parts.Owner.ID)
			require.Equal(t, writerID, *parts.Initiator.ID)

			// The policy of the bucket applies only to objects that belong to the bucket's owner.
			response, _ := s.sendAs(t, nobody, "GET", "/photos/k", "", nil)
			if tt.wantOwner == bucketOwner {
				require.Equal(t, 200, response.StatusCode)
			} else {
				require.Equal(t, 403, response.StatusCode)
			}
		})
	}
}

// With the ownership controls BucketOwnerEnforced, requests that set an ACL fail.
func TestOwnershipDecidesWhetherACLsWork(t *testing.T) {
	tests := []struct {
		ownership types.ObjectOwnership
		refuses   bool // true if ACLs cannot be set
	}{
		{ownership: "BucketOwnerEnforced", refuses: true},
		{ownership: "BucketOwnerPreferred", refuses: false},
		{ownership: "ObjectWriter", refuses: false},
	}
	for _, tt := range tests {
		t.Run(string(tt.ownership), func(t *testing.T) {
			s, _, _ := startWithACLs(t)
			s.setOwnership(t, tt.ownership)

			public := putInput("p", "content")
			public.ACL = types.ObjectCannedACLPublicRead
			_, objectErr := s.PutObject(t.Context(), public)
			_, bucketErr := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
				Bucket: aws.String(bucket),
				ACL:    types.BucketCannedACLPrivate,
			})

			if tt.refuses {
				requireFailure(t, objectErr, 400, "AccessControlListNotSupported")
				requireFailure(t, bucketErr, 400, "AccessControlListNotSupported")
				return
			}
			require.NoError(t, objectErr)
			require.NoError(t, bucketErr)
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
		path       string
		wantStatus int
	}{
		{path: "/photos/old", wantStatus: 403},
		{path: "/photos/newer", wantStatus: 403},
		{path: "/photos?list-type=2", wantStatus: 403},
		{path: "/photos/new", wantStatus: 200},
	}
	for _, tt := range tests {
		response, _ := s.sendAs(t, otherKey, "GET", tt.path, "", nil)
		require.Equal(t, tt.wantStatus, response.StatusCode, tt.path)
	}
}

// CreateBucket of an existing bucket cannot set an ACL that its public access block or ownership controls refuse.
func TestPublicAccessBlockOfRecreatedBucket(t *testing.T) {
	tests := []struct {
		name             string
		blocksPublicACLs bool // by the public access block
		ownership        types.ObjectOwnership
		wantCode         string
	}{
		{
			name:             "public ACLs blocked",
			blocksPublicACLs: true,
			ownership:        types.ObjectOwnershipObjectWriter,
			wantCode:         "InvalidBucketAclWithBlockPublicAccessError",
		},
		{
			name:      "ownership without ACLs",
			ownership: types.ObjectOwnershipBucketOwnerEnforced,
			wantCode:  "InvalidBucketAclWithObjectOwnership",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startLenient(t, s3server.Config{})
			_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
				Bucket: aws.String(bucket),
				PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
					BlockPublicAcls: &tt.blocksPublicACLs,
				},
			})
			require.NoError(t, err)
			_, err = s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
				Bucket:            aws.String(bucket),
				OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: tt.ownership}}},
			})
			require.NoError(t, err)

			// The owner creates the bucket again, with an ACL that would make it public.
			_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{
				Bucket:          aws.String(bucket),
				ACL:             types.BucketCannedACLPublicRead,
				ObjectOwnership: tt.ownership,
			})
			requireFailure(t, err, 400, tt.wantCode)

			// The ACL was not set, so nobody else can list the bucket.
			response, _ := s.send(t, "GET", s.server.URL+"/photos?list-type=2", nil, nil)
			require.Equal(t, 403, response.StatusCode)
		})
	}
}

// CreateBucket sets the ACL that its headers describe, or resets it if the owner creates the bucket again.
func TestCreateBucketWithACL(t *testing.T) {
	s, myID, otherID := startWithACLs(t)

	// A header of CreateBucket grants another account the permission to read the new bucket.
	_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:          aws.String("new"),
		GrantRead:       aws.String("id=" + otherID),
		ObjectOwnership: types.ObjectOwnershipObjectWriter,
	})
	require.NoError(t, err)

	// The other account may read the bucket. The bucket's ACL has no grant for the owner.
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

// A POST form without a signature may write only to a bucket to which anonymous requests may write.
// The object then belongs to the bucket's owner.
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

			// Only the bucket's owner may read the object. Even the account that has written it may
			// not.
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
