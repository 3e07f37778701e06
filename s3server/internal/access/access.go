// Package access finds out who sends a request, and decides what the sender may do. Its doors are
// [Authenticate], which verifies the signature, and [Authorize], which checks the permission for the
// operation. An operation that learns later what it needs asks an [Access] of its own.
package access

import (
	"net/http"
	"slices"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// An Access is one action on a bucket or an object that a request asks for, such as s3:GetObject.
// Its methods decide whether the caller has the permission for the action.
type Access struct {
	request *request.Request
	caller  *request.Caller
	action  string
	bucket  *state.Bucket
	key, id string        // key and version of the object
	header  http.Header   // headers of the request; for a form upload, the form's fields as headers
	tags    []tagging.Tag // tags in the document of the request
	// prefix is the value of the condition key s3:prefix. If the pointer is nil, the value is that
	// of the request's query parameter "prefix".
	prefix    *string
	ETag      string // entity tag that the object must have, if the request's document names one
	lookupErr error  // error of the lookup of the object, if the lookup failed
}

// authorizesItself has the operations that check permissions themselves. They can do this only
// after reading the body, because the body names the objects, tags or lock settings.
var authorizesItself = []string{
	"DeleteObjects", "PostObject", "PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging",
}

// Authorize fails unless the caller has the permission for the request's operation. Operations in authorizesItself
// check it later themselves.
func Authorize(r *request.Request) error {
	if slices.Contains(authorizesItself, r.Operation) {
		return nil
	}
	return AuthorizeWith(r, r.HTTP.Header, nil)
}

// AuthorizeWith fails unless the caller has the permission for the request's operation. header replaces the headers of
// the request, and tags are those in its document.
//
// If the bucket is missing, it fails for anonymous callers and sessions with a policy. Others may learn that later,
// from the operation itself, because S3 reports other errors first.
func AuthorizeWith(r *request.Request, header http.Header, tags []tagging.Tag) error {
	if r.Operation == "ListBuckets" || r.Operation == "CreateBucket" {
		return authorizeInAccount(r)
	}
	b, err := r.Bucket()
	if err != nil {
		mayLearn := !r.Caller.Anonymous && r.Caller.Session == nil
		if mayLearn && s3error.Is(err, "NoSuchBucket") {
			return nil
		}
		return ConcealBucket(r, err)
	}

	access := Of(r, b, action(r), r.Target.Key, r.Query.Get("versionId"))
	access.header = header
	access.tags = tags
	return access.CheckAll()
}

// authorizeInAccount fails unless the caller may perform an operation on its account, such as CreateBucket. No bucket
// policy applies to such an operation.
func authorizeInAccount(r *request.Request) error {
	errDenied := s3error.New("AccessDenied")
	if r.Caller.Anonymous {
		return errDenied
	}
	if r.Caller.ReadOnly && !policy.ReadsOnly(action(r)) {
		return errDenied
	}
	if !isInSession(r, action(r), "arn:aws:s3:::"+r.Target.Bucket) {
		return errDenied
	}
	return nil
}

// ConcealBucket returns err, the error of a lookup of a bucket, but AccessDenied in place of NoSuchBucket for a session
// with a policy, because such a caller must not learn which buckets exist.
func ConcealBucket(r *request.Request, err error) error {
	if s3error.Is(err, "NoSuchBucket") && r.Caller.Session != nil {
		return s3error.New("AccessDenied")
	}
	return err
}

// AuthorizeSource fails unless the caller may read the source object of a copy. If the caller must pay for the read,
// the request must also agree to that.
func AuthorizeSource(r *request.Request, src state.VersionName) error {
	b, err := r.Server.Store.Bucket(r.HTTP.Context(), src.Bucket)
	if err != nil {
		return ConcealBucket(r, err)
	}
	if err := b.CheckOwner(r.HTTP.Header.Get("X-Amz-Source-Expected-Bucket-Owner")); err != nil {
		return err
	}
	if err := CheckPayer(r, src.Bucket, r.HTTP.Header); err != nil {
		return err
	}
	return Of(r, b, policy.ActionOn("s3:GetObject", src.ID != ""), src.Key, src.ID).check()
}

// AuthorizeTags fails unless the caller may read the tags of the copied object and set them on the copy.
func AuthorizeTags(r *request.Request, src state.VersionName, tags []tagging.Tag) error {
	if len(tags) == 0 {
		return nil
	}

	source, err := r.Server.Store.Bucket(r.HTTP.Context(), src.Bucket)
	if err != nil {
		return err
	}
	readAction := policy.ActionOn("s3:GetObjectTagging", src.ID != "")
	if err := Of(r, source, readAction, src.Key, src.ID).check(); err != nil {
		return err
	}

	b, err := r.Bucket()
	if err != nil {
		return err
	}
	// A server that is not strict lets a caller who may copy the object also copy its tags.
	a := Of(r, b, "s3:PutObjectTagging", r.Target.Key, "")
	a.tags = tags
	return a.CheckOptional(a.action)
}

// Of returns the access that an action of this request needs. key is "" for an action on the bucket itself, and id is
// "" for the current object.
func Of(r *request.Request, b *state.Bucket, action, key, id string) *Access {
	return &Access{
		request: r,
		caller:  &r.Caller,
		action:  action,
		bucket:  b,
		key:     key,
		id:      id,
		header:  r.HTTP.Header,
	}
}

// check fails with AccessDenied if the caller has no permission for the action, or with the error of the object's
// lookup if that failed.
func (a *Access) check() error {
	isPermitted := a.isPermitted()
	if a.lookupErr != nil {
		return a.lookupErr
	}
	if !isPermitted {
		return s3error.New("AccessDenied")
	}
	return nil
}

// CheckAll fails unless the caller has the permission for the action, and those that the request's headers need
// besides.
func (a *Access) CheckAll() error {
	for _, action := range a.furtherActions() {
		if err := a.checkFurther(action); err != nil {
			return err
		}
	}
	return a.check()
}

// checkFurther fails unless the caller has the permission for an action that the request needs besides its own, such as
// s3:PutObjectTagging for the header x-amz-tagging.
func (a *Access) checkFurther(further furtherAction) error {
	other := *a
	other.action = further.action
	err := other.check()
	isOptional := further.optional && !a.request.Server.Strict && a.caller.Session == nil
	if !isOptional || !s3error.Is(err, "AccessDenied") {
		return err
	}

	// The caller needs no permission for an optional action, so only a policy that denies it counts.
	if _, denied := other.evaluatePolicy(); denied {
		return err
	}
	return nil
}

// CheckOptional checks the permission for an action besides that of the request. On a server that is not strict, the
// caller needs no permission, but a policy may still deny the action.
func (a *Access) CheckOptional(action string) error {
	return a.checkFurther(furtherAction{action: action, optional: true})
}

// version returns the version that the action is about, or nil if the action is about a bucket, or the version is a
// delete marker or does not exist. If the lookup fails, it also returns nil and sets a.lookupErr. Only the first call
// reads from the store.
func (a *Access) version() *state.Version {
	if a.key == "" {
		return nil
	}
	v, _, err := a.request.LookupVersion(state.VersionName{Bucket: a.bucket.Name, Key: a.key, ID: a.id})
	a.lookupErr = err
	if v == nil || v.Marker {
		return nil
	}
	return v
}

// isPermitted reports whether the caller may perform the action. Usually, all of these conditions
// must be met:
//
//   - If the caller's session has a policy, this policy allows the action.
//   - The bucket's policy does not deny the action. This condition does not apply if the bucket's
//     owner reads or changes the bucket's policy.
//   - The caller owns the bucket or the object, or the bucket's policy or an access control list
//     (ACL) allows the action.
func (a *Access) isPermitted() bool {
	if !a.allowedBySession() {
		return false
	}
	isOwner := !a.caller.Anonymous && a.caller.Account == a.bucket.Account
	allowed, denied := a.policyDecision(isOwner)
	if denied {
		return false
	}
	if a.caller.ReadOnly && !policy.ReadsOnly(a.action) {
		return false
	}

	// Nothing forbids the action, so look for a permission.
	if isOwner && a.ownerHasObjects() {
		return true
	}
	if a.key != "" && policy.OnObjects(a.action) && a.needsObject() {
		return a.isPermittedOnObject(isOwner, allowed)
	}
	return isOwner || allowed || a.isGranted() || a.isOwnUpload()
}

// policyDecision reports whether the bucket's policy allows or denies the action to the caller. As on S3, a policy
// cannot keep the bucket's owner from reading and changing it, and a public policy allows nothing to others if the
// bucket's public access block has RestrictPublicBuckets.
func (a *Access) policyDecision(isOwner bool) (allowed, denied bool) {
	allowed, denied = a.evaluatePolicy()
	if isOwner {
		policyActions := []string{"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}
		if slices.Contains(policyActions, a.action) {
			return allowed, false
		}
		return allowed, denied
	}
	if a.action == "" {
		// A policy cannot allow an operation that has no action.
		return false, denied
	}

	block := a.bucket.Block
	isRestricted := allowed && block != nil && block.RestrictPublicBuckets && a.bucket.Policy.Public()
	if isRestricted {
		return false, denied
	}
	return allowed, denied
}

// ownerHasObjects reports whether the bucket's owner has all permissions for the objects of the
// bucket, too. If all credentials belong to one account and the server is not strict, that account
// may even read objects that anonymous requests have written.
func (a *Access) ownerHasObjects() bool {
	server := a.request.Server
	if a.bucket.Ownership == state.OwnerEnforced {
		return true
	}
	return !server.Strict && server.Keys.HaveOneAccount()
}

// isPermittedOnObject is the part of isPermitted for an action that is possible only on an object that already exists.
// allowed says whether the bucket's policy allows it.
func (a *Access) isPermittedOnObject(isOwner, allowed bool) bool {
	v := a.version()
	// Only the bucket's owner and callers with the permission to list may learn that the object is
	// missing.
	if v == nil {
		return isOwner || a.mayList()
	}

	// If the action reads the object, or reads or sets its ACL, and the object does not belong to the bucket's owner,
	// only the object's owner and ACL count, and not the bucket's owner and policy.
	objectOwner := a.bucket.OwnerOf(&v.Object)
	if acl.ObjectPermissions[a.action] != "" && objectOwner != a.bucket.Account {
		return a.caller.Account == objectOwner || a.isGranted()
	}
	return isOwner || allowed || a.isGranted()
}

// needsObject reports whether the action is possible only on an object that already exists, so that the permission
// depends on the object's owner and ACL.
func (a *Access) needsObject() bool {
	switch a.action {
	case "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload",
		"s3:ListMultipartUploadParts", "s3:PutObjectRetention", "s3:PutObjectLegalHold",
		"s3:BypassGovernanceRetention":
		return false
	case "s3:PutObjectAcl":
		// Operations such as PutObject set the ACL or the tags of the object that they write.
		return a.request.Operation == "PutObjectAcl"
	case "s3:PutObjectTagging":
		return a.request.Operation == "PutObjectTagging"
	}
	return true
}

// listing returns the access that a listing of the bucket with the key as its prefix needs.
func (a *Access) listing() *Access {
	list := *a
	list.action = "s3:ListBucket"
	list.key = ""
	list.prefix = &a.key
	return &list
}

// mayList reports whether the caller has the permission s3:ListBucket with the key as the prefix.
func (a *Access) mayList() bool { return a.listing().isPermitted() }

// isOwnUpload reports whether the action lists the parts of a multipart upload, or aborts it, and the caller's account
// began the upload. S3 permits both to this account.
func (a *Access) isOwnUpload() bool {
	if a.caller.Anonymous {
		return false
	}
	if a.action != "s3:AbortMultipartUpload" && a.action != "s3:ListMultipartUploadParts" {
		return false
	}
	r := a.request
	u, err := r.Server.Store.Upload(r.HTTP.Context(), a.bucket.Name, a.key, r.Query.Get("uploadId"))
	return err == nil && u.Initiator == a.caller.Account
}

// resource returns the ARN by which policies name the bucket or the object.
func (a *Access) resource() string {
	if a.key == "" || !policy.OnObjects(a.action) {
		return "arn:aws:s3:::" + a.bucket.Name
	}
	return "arn:aws:s3:::" + a.bucket.Name + "/" + a.key
}

// action returns the policy action of the request's operation, such as s3:GetObject. It returns ""
// if the operation has no action.
func action(r *request.Request) string {
	return policy.ActionOn(policy.OperationActions[r.Operation], r.Has("versionId"))
}

// A furtherAction is an action that a request needs besides that of its operation, mostly because of a header.
type furtherAction struct {
	action string
	// optional is true if the caller needs no permission for the action. A policy may still deny
	// the action. On a strict server, and in a session with a policy, the caller needs a permission
	// anyway.
	optional bool
}

// furtherActions returns the actions that the request's headers need besides the operation's own action.
func (a *Access) furtherActions() (all []furtherAction) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return a.header.Get(name) != "" })
	}

	// An optional action needs no permission, but a policy may deny it.
	switch a.request.Operation {
	case "PutObject", "PostObject", "CopyObject", "CreateMultipartUpload":
		if has("X-Amz-Acl") || acl.SetsGrants(a.header) {
			all = append(all, furtherAction{action: "s3:PutObjectAcl", optional: !a.grantsOthers()})
		}
		if has("X-Amz-Tagging") || a.tags != nil {
			all = append(all, furtherAction{action: "s3:PutObjectTagging", optional: true})
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
		if request.IsTrue(a.header, request.BypassHeader) {
			all = append(all, furtherAction{action: "s3:BypassGovernanceRetention"})
		}
	}
	return append(all, a.comparisonActions()...)
}

// comparisonActions returns the action s3:GetObject if a write or removal is conditional on the object's entity tag,
// because AWS then demands the permission for this action, too.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html
func (a *Access) comparisonActions() []furtherAction {
	match := a.ETag
	switch a.request.Operation {
	case "PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject":
		match = headertext.Lines(a.header, "If-Match")
	}
	if match == "" || match == "*" {
		return nil
	}
	return []furtherAction{{action: "s3:GetObject", optional: true}}
}

// grantsOthers reports whether the headers grant permissions to anybody but the caller and the bucket's owner. The
// request then needs the permission s3:PutObjectAcl. It does not need it for other ACLs, because bucket policies often
// allow only s3:PutObject with the canned ACL bucket-owner-full-control.
func (a *Access) grantsOthers() bool {
	if canned := a.header.Get("X-Amz-Acl"); canned != "" {
		withinOwners := []string{"private", "bucket-owner-read", "bucket-owner-full-control"}
		return !slices.Contains(withinOwners, canned)
	}
	grants, err := acl.ReadGrants(a.request.Server.Keys.AccountOf, a.header)
	if err != nil {
		// The operation reports the wrong header later.
		return true
	}
	return slices.ContainsFunc(grants, func(g acl.Grant) bool {
		isCaller := !a.caller.Anonymous && g.Grantee == accounts.OwnerOf(a.caller.Account).ID
		return !isCaller && g.Grantee != accounts.OwnerOf(a.bucket.Account).ID
	})
}
