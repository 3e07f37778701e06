package s3server_test

import (
	"bytes"
	"mime/multipart"
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

// startWithACLs is a lenient server of two accounts, whose canonical ids it returns. Its bucket has access control lists.
func startWithACLs(t *testing.T) (s *store, myID, otherID string) {
	s = startLenient(t, s3server.Config{Credentials: twoAccounts})
	s.own(t, types.ObjectOwnershipObjectWriter)
	for client, id := range map[*s3.Client]*string{s.Client: &myID, s.clientOf(others): &otherID} {
		list, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		require.NoError(t, err)
		*id = *list.Owner.ID
	}
	return s, myID, otherID
}

// shown returns grants as "grantee permission".
func shown(grants []types.Grant) (all []string) {
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
	return shown(output.Grants)
}

// objectGrants returns the grants of an object's list.
func (s *store) objectGrants(t *testing.T, client *s3.Client, key string) []string {
	t.Helper()
	output, err := client.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{
		Bucket: aws.String(bucket),
		Key:    &key,
	})
	require.NoError(t, err)
	return shown(output.Grants)
}

// The ACL of a bucket decides which accounts may use the bucket.
func TestACLOfBucketDecides(t *testing.T) {
	const (
		list     = "GET /photos?list-type=2"
		put      = "PUT /photos/new"
		remove   = "DELETE /photos/k"
		readList = "GET /photos?acl"
		setList  = "PUT /photos?acl"
	)
	s, _, otherID := startWithACLs(t)
	grant := func(permission string) map[string]string {
		return map[string]string{"X-Amz-Grant-" + permission: `id="` + otherID + `"`}
	}
	canned := func(name string) map[string]string { return map[string]string{"X-Amz-Acl": name} }

	tests := map[string]struct {
		header           map[string]string
		nobodys, another string // what may be done, of "lprgs"
	}{
		"private":            {header: canned("private"), nobodys: "", another: ""},
		"public-read":        {header: canned("public-read"), nobodys: "l", another: "l"},
		"public-read-write":  {header: canned("public-read-write"), nobodys: "lpr", another: "lpr"},
		"authenticated-read": {header: canned("authenticated-read"), nobodys: "", another: "l"},
		"log-delivery-write": {header: canned("log-delivery-write"), nobodys: "", another: ""},
		"READ":               {header: grant("Read"), nobodys: "", another: "l"},
		"WRITE":              {header: grant("Write"), nobodys: "", another: "pr"},
		"READ_ACP":           {header: grant("Read-Acp"), nobodys: "", another: "g"},
		"WRITE_ACP":          {header: grant("Write-Acp"), nobodys: "", another: "s"},
		"FULL_CONTROL":       {header: grant("Full-Control"), nobodys: "", another: "lprgs"},
		"READ for a group": {
			header:  map[string]string{"X-Amz-Grant-Read": "uri=" + signersURI},
			nobodys: "",
			another: "l",
		},
		"READ_ACP for everyone": {
			header:  map[string]string{"X-Amz-Grant-Read-Acp": "uri=" + everybodyURI},
			nobodys: "g",
			another: "g",
		},
		"two grants": {
			header: map[string]string{
				"X-Amz-Grant-Read":  "uri=" + everybodyURI + ", id=" + otherID,
				"X-Amz-Grant-Write": "id=" + otherID,
			},
			nobodys: "l",
			another: "lpr",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for i, operation := range []string{list, put, remove, readList, setList} {
				for as, allowed := range map[int]string{nobody: tt.nobodys, others: tt.another} {
					s.put(t, "k", "content")
					response, body := s.sendAs(t, mine, "PUT", "/photos?acl", "", tt.header)
					require.Equal(t, 200, response.StatusCode, body)

					method, path, _ := strings.Cut(operation, " ")
					header := map[string]string{}
					if operation == setList {
						header["X-Amz-Acl"] = "private"
					}
					response, body = s.sendAs(t, as, method, path, "", header)
					may := strings.Contains(allowed, "lprgs"[i:i+1])
					require.Equal(t, may, response.StatusCode < 300, "%s by %d: %s", operation, as, body)
					require.True(t, may || response.StatusCode == 403, body)

					response, _ = s.sendAs(t, mine, "GET", "/photos?acl", "", nil)
					require.Equal(t, 200, response.StatusCode, "the owner may always")
				}
			}
		})
	}
}

// The ACL of an object decides which accounts may use the object.
func TestACLOfObjectDecides(t *testing.T) {
	const (
		get      = "GET /photos/k"
		head     = "HEAD /photos/k"
		put      = "PUT /photos/k"
		readList = "GET /photos/k?acl"
		setList  = "PUT /photos/k?acl"
	)
	s, _, otherID := startWithACLs(t)
	grant := func(permission string) map[string]string {
		return map[string]string{"X-Amz-Grant-" + permission: `id="` + otherID + `"`}
	}
	canned := func(name string) map[string]string { return map[string]string{"X-Amz-Acl": name} }

	tests := map[string]struct {
		header           map[string]string
		nobodys, another string // what may be done, of "ghprs"
	}{
		"private":                   {header: canned("private"), nobodys: "", another: ""},
		"public-read":               {header: canned("public-read"), nobodys: "gh", another: "gh"},
		"public-read-write":         {header: canned("public-read-write"), nobodys: "gh", another: "gh"},
		"authenticated-read":        {header: canned("authenticated-read"), nobodys: "", another: "gh"},
		"bucket-owner-read":         {header: canned("bucket-owner-read"), nobodys: "", another: ""},
		"bucket-owner-full-control": {header: canned("bucket-owner-full-control"), nobodys: "", another: ""},
		"READ":                      {header: grant("Read"), nobodys: "", another: "gh"},
		"WRITE":                     {header: grant("Write"), nobodys: "", another: ""},
		"READ_ACP":                  {header: grant("Read-Acp"), nobodys: "", another: "r"},
		"WRITE_ACP":                 {header: grant("Write-Acp"), nobodys: "", another: "s"},
		"FULL_CONTROL":              {header: grant("Full-Control"), nobodys: "", another: "ghrs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for i, operation := range []string{get, head, put, readList, setList} {
				for as, allowed := range map[int]string{nobody: tt.nobodys, others: tt.another} {
					response, body := s.sendAs(t, mine, "PUT", "/photos/k", "content", tt.header)
					require.Equal(t, 200, response.StatusCode, body)
					method, path, _ := strings.Cut(operation, " ")
					header := map[string]string{}
					if operation == setList {
						header["X-Amz-Acl"] = "private"
					}
					response, body = s.sendAs(t, as, method, path, "", header)
					may := strings.Contains(allowed, "ghprs"[i:i+1])
					require.Equal(t, may, response.StatusCode < 300, "%s by %d: %s", operation, as, body)
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

	for acl, grants := range map[types.BucketCannedACL][]string{
		"private":            {mineFull},
		"public-read":        {everybodyURI + " READ", mineFull},
		"public-read-write":  {everybodyURI + " READ", everybodyURI + " WRITE", mineFull},
		"authenticated-read": {signersURI + " READ", mineFull},
		"log-delivery-write": {logURI + " WRITE", logURI + " READ_ACP", mineFull},
		"bucket-owner-read":  {mineFull},
	} {
		_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: acl})
		require.NoError(t, err)
		require.Equal(t, grants, s.bucketGrants(t), acl)
	}

	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "public-read-write",
	})
	require.NoError(t, err)
	other := s.clientOf(others)
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
	require.Equal(t, 200, getAnonymously(s, t, "k"))

	other := s.clientOf(others)
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
	for code, policy := range map[string]*types.AccessControlPolicy{
		"AccessDenied":                    document(otherID),
		"InvalidArgument":                 document(myID, user("_foo", "READ")),
		"UnresolvableGrantByEmailAddress": document(myID, email),
		"MalformedACLError":               document(myID, user(myID, "FLY")),
	} {
		requireFailure(t, put(s.Client, policy), map[bool]int{
			true:  403,
			false: 400,
		}[code == "AccessDenied"], code)
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

	tests := map[string]struct {
		path, body string
		header     map[string]string
		status     int
		code       string
	}{
		"nothing":                {path: "/photos?acl", status: 400, code: "MissingSecurityHeader"},
		"nothing, for an object": {path: "/photos/k?acl", status: 400, code: "MissingSecurityHeader"},
		"a header and a document": {
			path:   "/photos?acl",
			body:   document,
			header: map[string]string{"X-Amz-Acl": "private"},
			status: 400,
			code:   "UnexpectedContent",
		},
		"a canned list and a grant": {
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Acl": "private", "X-Amz-Grant-Read": "id=" + otherID},
			status: 400,
			code:   "InvalidRequest",
		},
		"an unknown canned list": {
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Acl": "mine"},
			status: 400,
			code:   "InvalidArgument",
		},
		"a list of buckets": {
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Acl": "log-delivery-write"},
			status: 400,
			code:   "InvalidArgument",
		},
		"a list that is not here": {
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Acl": "aws-exec-read"},
			status: 501,
			code:   "NotImplemented",
		},
		"a grant to nobody": {
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Grant-Read": "everyone"},
			status: 400,
			code:   "InvalidArgument",
		},
		"a grant to an unknown id": {
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Grant-Read": "id=1"},
			status: 400,
			code:   "InvalidArgument",
		},
		"a grant by email": {
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{"X-Amz-Grant-Read": "emailAddress=a@b.c"},
			status: 400,
			code:   "UnresolvableGrantByEmailAddress",
		},
		"a document of other XML": {
			path:   "/photos?acl",
			body:   "<Tagging/>",
			status: 400,
			code:   "MalformedACLError",
		},
		"a document without owner": {
			path:   "/photos?acl",
			body:   "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>",
			status: 400,
			code:   "MalformedACLError",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			response, body := s.sendAs(t, mine, "PUT", tt.path, tt.body, tt.header)
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
				s.setPolicy(`{"Statement":[`+allowing("*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, "")+`]}`))
			input := putInput("k", "content")
			input.ACL = tt.acl
			other := s.clientOf(others)
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
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "public-read",
	})
	require.NoError(t, err)
	_, err = s.PutObject(t.Context(), public("old"))
	require.NoError(t, err)

	require.Equal(t, 200, getAnonymously(s, t, "old"))
	block := func(b types.PublicAccessBlockConfiguration) {
		_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
			Bucket:                         aws.String(bucket),
			PublicAccessBlockConfiguration: &b,
		})
		require.NoError(t, err)
	}
	block(types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)})
	require.Equal(t, 200, getAnonymously(s, t, "old"))

	_, err = s.PutObject(t.Context(), public("new"))
	requireFailure(t, err, 403, "AccessDenied")
	input := putInput("new", "content")
	input.GrantRead = aws.String("uri=" + signersURI)
	_, err = s.PutObject(t.Context(), input)
	requireFailure(t, err, 403, "AccessDenied")

	input = putInput("new", "content")
	input.GrantRead = aws.String("id=" + otherID)
	_, err = s.PutObject(t.Context(), input)
	require.NoError(t, err)
	_, err = s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "authenticated-read",
	})
	requireFailure(t, err, 403, "AccessDenied")

	block(types.PublicAccessBlockConfiguration{IgnorePublicAcls: aws.Bool(true)})
	_, err = s.PutObject(t.Context(), public("newer"))
	require.NoError(t, err)
	for path, status := range map[string]int{
		"/photos/old":         403,
		"/photos/newer":       403,
		"/photos?list-type=2": 403,
		"/photos/new":         200,
	} {
		response, _ := s.sendAs(t, others, "GET", path, "", nil)
		require.Equal(t, status, response.StatusCode, path)
	}
}

// If a bucket's owner creates the bucket again, its public access block and ownership controls still apply.
func TestPublicAccessBlockOfRecreatedBucket(t *testing.T) {
	tests := map[string]struct {
		block     bool
		ownership types.ObjectOwnership
		code      string
	}{
		"a blocked public list": {
			block:     true,
			ownership: types.ObjectOwnershipObjectWriter,
			code:      "InvalidBucketAclWithBlockPublicAccessError",
		},
		"no lists": {
			block:     false,
			ownership: types.ObjectOwnershipBucketOwnerEnforced,
			code:      "InvalidBucketAclWithObjectOwnership",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := startLenient(t, s3server.Config{})
			_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
				Bucket:                         aws.String(bucket),
				PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: &tt.block},
			})
			require.NoError(t, err)
			_, err = s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
				Bucket:            aws.String(bucket),
				OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: tt.ownership}}},
			})
			require.NoError(t, err)

			_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{
				Bucket:          aws.String(bucket),
				ACL:             types.BucketCannedACLPublicRead,
				ObjectOwnership: tt.ownership,
			})
			requireFailure(t, err, 400, tt.code)

			response, _ := s.send(t, "GET", s.server.URL+"/photos?list-type=2", nil, nil)
			require.Equal(t, 403, response.StatusCode)
		})
	}
}

// CreateBucket takes the new bucket's ACL from its headers.
func TestCreateBucketWithACL(t *testing.T) {
	s, myID, otherID := startWithACLs(t)
	_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:          aws.String("new"),
		GrantRead:       aws.String("id=" + otherID),
		ObjectOwnership: types.ObjectOwnershipObjectWriter,
	})
	require.NoError(t, err)

	grants := func() []string {
		output, err := s.GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String("new")})
		require.NoError(t, err)
		return shown(output.Grants)
	}
	require.Equal(t, []string{otherID + " READ"}, grants())

	_, err = s.clientOf(others).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("new")})
	require.NoError(t, err)
	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("new")})
	require.NoError(t, err)
	require.Equal(t, []string{myID + " FULL_CONTROL"}, grants(), "creating it again resets its list")

	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:          aws.String("newer"),
		ObjectOwnership: "Nobody",
	})
	requireFailure(t, err, 400, "InvalidArgument")
}

// A POST form without a signature needs the permissions of an anonymous write.
func TestFormWithoutSignatureIsAnonymous(t *testing.T) {
	s, myID, _ := startWithACLs(t)
	post := func() int {
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
	require.Equal(t, 403, post())

	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    "public-read-write",
	})
	require.NoError(t, err)
	require.Equal(t, 204, post())
	require.Equal(t, "content", s.get(t, "posted"))

	listed, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket:     aws.String(bucket),
		FetchOwner: aws.Bool(true),
	})
	require.NoError(t, err)
	require.Equal(t, myID, *listed.Contents[0].Owner.ID, "it belongs to the bucket's owner")
}

// A policy can make a drop box: a bucket to which everybody may write, and which only its owner may read.
func TestPolicyMakesDropBox(t *testing.T) {
	for _, ownership := range []types.ObjectOwnership{"", "ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"} {
		t.Run(string(ownership), func(t *testing.T) {
			s := startLenient(t, s3server.Config{Credentials: twoAccounts})
			if ownership != "" {
				s.own(t, ownership)
			}
			require.NoError(t,
				s.setPolicy(`{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": `+inKeys+`}}`))

			response, body := s.sendAs(t, nobody, "PUT", "/photos/k", "content", nil)
			require.Equal(t, 200, response.StatusCode, body)
			for _, as := range []int{nobody, others} {
				for _, request := range []string{"GET /photos/k", "HEAD /photos/k", "GET /photos/k?acl", "PUT /photos/k?acl"} {
					method, path, _ := strings.Cut(request, " ")
					header := map[string]string{}
					if method == "PUT" {
						header["X-Amz-Acl"] = "public-read"
					}
					response, _ = s.sendAs(t, as, method, path, "", header)
					require.Equal(t, 403, response.StatusCode, "%s by %d", request, as)
				}
			}
			require.Equal(t, "content", s.get(t, "k"))
		})
	}
}

// own sets who owns new objects of the bucket, and whether there are access control lists.
func (s *store) own(t *testing.T, ownership types.ObjectOwnership) {
	t.Helper()
	rule := types.OwnershipControlsRule{ObjectOwnership: ownership}
	_, err := s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
		Bucket:            aws.String(bucket),
		OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{rule}},
	})
	require.NoError(t, err)
}

// AbortMultipartUpload works for the account that began the upload, and for the owner of the bucket. For another
// account, it fails with AccessDenied.
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

	other := s.clientOf(others)
	requireFailure(t, abort(other, begin(s.Client)), 403, "AccessDenied")
	require.NoError(t, abort(other, begin(other)))
	require.NoError(t, abort(s.Client, begin(other)))
}
