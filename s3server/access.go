package s3server

import (
	"net/http"
	"slices"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// An access is one action on a bucket or an object that a request asks for, such as s3:GetObject.
// Its methods decide whether the caller has the permission for the action.
type access struct {
	request *request
	caller  *caller
	action  string
	bucket  *state.Bucket
	key, id string        // key and version of the object
	header  http.Header   // headers of the request; for a form upload, the form's fields as headers
	tags    []tagging.Tag // tags in the document of the request
	// prefix is the value of the condition key s3:prefix. If the pointer is nil, the value is that
	// of the request's query parameter "prefix".
	prefix *string
	etag   string // entity tag that the object must have, if the request's document names one
	failed error  // error of the lookup of the object, if the lookup failed
}

// authorizesItself has the operations that check permissions themselves. They can do this only
// after reading the body, because the body names the objects, tags or lock settings.
var authorizesItself = []string{
	"DeleteObjects", "PostObject", "PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging",
}

// authorize checks the permission for the request's operation. An operation in authorizesItself
// checks its permission later.
func (r *request) authorize() error {
	if slices.Contains(authorizesItself, r.operation) {
		return nil
	}
	return r.authorizeWith(r.in.Header, nil)
}

// authorizeWith checks the permission for the request's operation. header takes the
// place of the request's headers. tags has the tags that are not in a header.
func (r *request) authorizeWith(header http.Header, tags []tagging.Tag) error {
	if r.operation == "ListBuckets" || r.operation == "CreateBucket" {
		if r.caller.anonymous || r.caller.readOnly && !policy.ReadsOnly(action(r)) ||
			!requestInSession(r, action(r), "arn:aws:s3:::"+r.target.bucket) {
			return s3error.New("AccessDenied")
		}
		return nil
	}
	b, err := r.bucket()
	err = concealed(r, err)
	if s3error.Is(err, "NoSuchBucket") && !r.caller.anonymous {
		return nil // the operation reports the missing bucket later, because S3 reports other errors first
	}
	if err != nil {
		return err
	}
	a := r.access(b, action(r), r.target.key, r.query.Get("versionId"))
	a.header = header
	a.tags = tags
	return a.checkAll()
}

// concealed returns err, the error of a lookup of a bucket. It replaces NoSuchBucket with
// AccessDenied for a session with a policy, because such a caller must not learn which buckets
// exist.
func concealed(r *request, err error) error {
	if s3error.Is(err, "NoSuchBucket") && r.caller.session != nil {
		return s3error.New("AccessDenied")
	}
	return err
}

// authorizeSource checks the permission to read the source object of a copy.
func authorizeSource(r *request, src state.VersionName) error {
	b, err := r.server.store.Bucket(r.in.Context(), src.Bucket)
	if err != nil {
		return concealed(r, err)
	}
	if err := b.CheckOwner(r.in.Header.Get("X-Amz-Source-Expected-Bucket-Owner")); err != nil {
		return err
	}
	if err := checkPayer(r, src.Bucket, r.in.Header); err != nil {
		return err
	}
	return r.access(b, policy.ActionOn("s3:GetObject", src.ID != ""), src.Key, src.ID).check()
}

// authorizeTags checks the permission to read the tags of the copied object, and the permission to
// set them on the copy.
func authorizeTags(r *request, src state.VersionName, tags []tagging.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	source, err := r.server.store.Bucket(r.in.Context(), src.Bucket)
	if err != nil {
		return err
	}
	if err := r.access(source, policy.ActionOn("s3:GetObjectTagging", src.ID != ""), src.Key, src.ID).check(); err != nil {
		return err
	}
	b, err := r.bucket()
	if err != nil {
		return err
	}
	a := r.access(b, "s3:PutObjectTagging", r.target.key, "")
	a.tags = tags
	return a.checkFurther(furtherAction{a.action, true})
}

// access returns the access for an action of this request. id is the id of a version, or "" for the
// current object.
func (r *request) access(b *state.Bucket, action, key, id string) *access {
	return &access{request: r, caller: &r.caller, action: action, bucket: b, key: key, id: id, header: r.in.Header}
}

// check returns AccessDenied if the caller has no permission for the action.
func (a *access) check() error {
	permitted := a.permitted()
	if a.failed != nil {
		return a.failed
	}
	if !permitted {
		return s3error.New("AccessDenied")
	}
	return nil
}

// checkAll checks the permission of the action, and the permissions that the request's headers need
// in addition.
func (a *access) checkAll() error {
	for _, further := range a.further() {
		if err := a.checkFurther(further); err != nil {
			return err
		}
	}
	return a.check()
}

// checkFurther checks a permission that a header of the request needs.
func (a *access) checkFurther(further furtherAction) error {
	next := *a
	next.action = further.action
	err := next.check()
	optional := further.optional && !a.request.server.config.Strict && a.caller.session == nil
	if _, denied := next.judge(); !denied && optional &&
		s3error.Is(err, "AccessDenied") {
		return nil
	}
	return err
}

// version returns the version that the action is about. It returns nil if the action is about a
// bucket, or if the version is a delete marker or does not exist. Only the first call asks the
// store.
func (a *access) version() *state.Version {
	if a.key == "" {
		return nil
	}
	v, _, err := a.request.looked.at(a.request, state.VersionName{Bucket: a.bucket.Name, Key: a.key, ID: a.id})
	a.failed = err
	if v == nil || v.Marker {
		return nil
	}
	return v
}

// permitted reports whether the caller may perform the action. Usually, all of these conditions
// must be met:
//
//   - If the caller's session has a policy, this policy allows the action.
//   - The bucket's policy does not deny the action. This condition does not apply if the bucket's
//     owner reads or changes the bucket's policy.
//   - The caller owns the bucket or the object, or the bucket's policy or an access control list
//     (ACL) allows the action.
func (a *access) permitted() bool {
	if !a.inSession() {
		return false
	}
	b := a.bucket
	owner := !a.caller.anonymous && a.caller.account == b.Account
	allowed, denied := a.judge()
	if owner &&
		slices.Contains([]string{"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}, a.action) {
		denied = false
	}
	if denied || a.caller.readOnly && !policy.ReadsOnly(a.action) {
		return false
	}
	if !owner && (a.action == "" || allowed && b.Block != nil && b.Block.RestrictPublicBuckets && b.Policy.Public()) {
		allowed = false
	}
	switch {
	case owner && (b.Ownership == state.OwnerEnforced || hasOneAccount(a.request.server)):
		return true
	case a.key == "" || !policy.OnObjects(a.action):
		return owner || allowed || a.listed()
	case a.needsObject() && a.version() == nil:
		// Only the bucket's owner and callers with the permission to list may learn that the object
		// is missing.
		return owner || a.mayList()
	case acl.ObjectPermissions[a.action] != "" && a.needsObject():
		// The action reads the object, or reads or sets the object's ACL. If another account than
		// the bucket's owner owns the object, the bucket's owner and policy do not count. Only the
		// object's owner and the object's ACL count.
		if objectOwner := b.OwnerOf(&a.version().Object); objectOwner != b.Account {
			return a.caller.account == objectOwner || a.listed()
		}
	}
	return owner || allowed || a.listed() || a.begunByCaller()
}

// needsObject reports whether the action is possible only on an object that already exists.
func (a *access) needsObject() bool {
	return !slices.Contains([]string{
		"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
		"s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention",
	}, a.action) && !(a.request.operation != "PutObjectAcl" && a.action == "s3:PutObjectAcl") &&
		!(a.request.operation != "PutObjectTagging" && a.action == "s3:PutObjectTagging")
}

// mayList reports whether the caller has the permission s3:ListBucket with the key as the prefix.
func (a *access) mayList() bool {
	list := *a
	list.action, list.key, list.prefix = "s3:ListBucket", "", &a.key
	return list.permitted()
}

// begunByCaller reports whether the caller began the multipart upload that the request names, and
// the action is to list its parts or to abort it. S3 permits both actions to that caller.
func (a *access) begunByCaller() bool {
	if a.caller.anonymous || a.action != "s3:AbortMultipartUpload" && a.action != "s3:ListMultipartUploadParts" {
		return false
	}
	u, err := a.request.server.store.Upload(a.request.in.Context(), a.bucket.Name, a.key, a.request.query.Get("uploadId"))
	return err == nil && u.Initiator == a.caller.account
}

// resource returns the ARN of the bucket or the object, with which policies are compared.
func (a *access) resource() string {
	if a.key == "" || !policy.OnObjects(a.action) {
		return "arn:aws:s3:::" + a.bucket.Name
	}
	return "arn:aws:s3:::" + a.bucket.Name + "/" + a.key
}

// hasOneAccount reports whether all credentials belong to one account. It returns false if the
// server is strict. If it returns true, that account may read objects that anonymous requests have
// written.
func hasOneAccount(h *Handler) bool {
	return !h.config.Strict &&
		!slices.ContainsFunc(h.config.Credentials, func(c Credential) bool {
			return c.Account != h.config.Credentials[0].Account
		})
}

// action returns the policy action of the request's operation, such as s3:GetObject. It returns ""
// if the operation has no action.
func action(r *request) string {
	return policy.ActionOn(policy.OperationActions[r.operation], r.has("versionId"))
}

// A furtherAction is an action that a header of a request needs.
type furtherAction struct {
	action string
	// optional is true if the caller needs no permission for the action. A policy may still deny
	// the action. On a strict server, and in a session with a policy, the caller needs a permission
	// anyway.
	optional bool
}

// further returns the actions that the request's headers need in addition to the operation's own
// action.
func (a *access) further() (all []furtherAction) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return a.header.Get(name) != "" })
	}
	switch a.request.operation {
	case "PutObject", "PostObject", "CopyObject", "CreateMultipartUpload":
		if has("X-Amz-Acl") || acl.SetsGrants(a.header) {
			all = append(all, furtherAction{"s3:PutObjectAcl", !a.grantsOthers()})
		}
		if has("X-Amz-Tagging") || a.tags != nil {
			all = append(all, furtherAction{"s3:PutObjectTagging", true})
		}
		if has(state.LockMode, state.LockUntil) {
			all = append(all, furtherAction{action: "s3:PutObjectRetention"})
		}
		if has(state.LockHold) {
			all = append(all, furtherAction{action: "s3:PutObjectLegalHold"})
		}
	case "GetObjectAttributes":
		all = append(all, furtherAction{action: a.action + "Attributes"})
	case "DeleteObject", "DeleteObjects", "PutObjectRetention":
		if isTrue(a.header, bypassHeader) {
			all = append(all, furtherAction{action: "s3:BypassGovernanceRetention"})
		}
	}
	return append(all, a.comparing()...)
}

// comparing returns s3:GetObject if the write or removal is conditional on the object's entity tag,
// because AWS then demands this permission, too.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html
func (a *access) comparing() []furtherAction {
	match := a.etag
	if slices.Contains(
		[]string{"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"},
		a.request.operation,
	) {
		match = headertext.Lines(a.header, "If-Match")
	}
	if match == "" || match == "*" {
		return nil
	}
	return []furtherAction{{"s3:GetObject", true}}
}

// grantsOthers reports whether the headers grant permissions to anybody but the caller and the
// bucket's owner. Such a grant needs the permission s3:PutObjectAcl. Bucket policies often let
// other accounts write only with the canned ACL bucket-owner-full-control, and allow only
// s3:PutObject. A write with this canned ACL therefore needs no other permission.
func (a *access) grantsOthers() bool {
	switch a.header.Get("X-Amz-Acl") {
	case "":
	case "private", "bucket-owner-read", "bucket-owner-full-control":
		return false
	default:
		return true
	}
	list, err := acl.ReadGrants(a.request.server.accountOf, a.header)
	return err != nil || slices.ContainsFunc(list, func(g acl.Grant) bool {
		ofCaller := !a.caller.anonymous && g.Grantee == accounts.OwnerOf(a.caller.account).ID
		return !ofCaller && g.Grantee != accounts.OwnerOf(a.bucket.Account).ID
	})
}
