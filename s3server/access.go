package s3server

import (
	"net/http"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// An access is one action of a request on a bucket or an object.
type access struct {
	request *request
	caller  *caller
	action  string
	bucket  *state.Bucket
	key, id string        // key and version of the object
	header  http.Header   // headers of the request, or of the form in its place
	tags    []tagging.Tag // tags in the document of the request
	prefix  *string       // value of s3:prefix, if the query has none
	failed  error         // error of the search for the object
}

// authorizesItself are the operations that check permissions themselves, after they have read
// their body, because the body names the objects.
var authorizesItself = []string{
	"DeleteObjects", "PostObject", "PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging",
}

// authorize checks the permission for the operation.
func (r *request) authorize() error {
	if slices.Contains(authorizesItself, r.operation) {
		return nil
	}
	return r.authorizeWith(r.in.Header, nil)
}

// authorizeWith checks the permission for the operation with headers, and with tags that
// do not come in a header.
func (r *request) authorizeWith(header http.Header, tags []tagging.Tag) error {
	if r.operation == "ListBuckets" || r.operation == "CreateBucket" {
		if r.caller.anonymous || r.caller.readOnly && !policy.ReadsOnly(action(r)) {
			return s3error.New("AccessDenied")
		}
		return nil
	}
	b, err := r.bucket()
	if s3error.Is(err, "NoSuchBucket") && !r.caller.anonymous {
		return nil // the operation reports the error, after the errors that come first
	}
	if err != nil {
		return err
	}
	a := r.access(b, action(r), r.target.key, r.query.Get("versionId"))
	a.header, a.tags = header, tags
	return a.checkAll()
}

// authorizeSource checks the permission to read the source of a copy.
func authorizeSource(r *request, from state.VersionName) error {
	b, err := r.server.store.Bucket(r.in.Context(), from.Bucket)
	if err != nil {
		return err
	}
	if err := b.CheckOwner(r.in.Header.Get("X-Amz-Source-Expected-Bucket-Owner")); err != nil {
		return err
	}
	if err := checkPayer(r, from.Bucket, r.in.Header); err != nil {
		return err
	}
	return r.access(b, policy.ActionOn("s3:GetObject", from.ID != ""), from.Key, from.ID).check()
}

// authorizeTags checks the permission to read the tags of the source of a copy, and to give them
// to the copy.
func authorizeTags(r *request, from state.VersionName, tags []tagging.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	source, err := r.server.store.Bucket(r.in.Context(), from.Bucket)
	if err != nil {
		return err
	}
	if err := r.access(source, policy.ActionOn("s3:GetObjectTagging", from.ID != ""), from.Key, from.ID).check(); err != nil {
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

// access returns an access that the request makes. id names a version, or is "".
func (r *request) access(b *state.Bucket, action, key, id string) *access {
	return &access{request: r, caller: &r.caller, action: action, bucket: b, key: key, id: id, header: r.in.Header}
}

// check checks the permission.
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

// checkAll checks the permission of the action, and those that its headers need in addition.
func (a *access) checkAll() error {
	for _, further := range a.further() {
		if err := a.checkFurther(further); err != nil {
			return err
		}
	}
	return a.check()
}

// checkFurther checks the permission that a header needs.
func (a *access) checkFurther(further furtherAction) error {
	next := *a
	next.action = further.action
	err := next.check()
	if _, denied := next.judge(); !denied && further.optional && !a.request.server.config.Strict &&
		s3error.Is(err, "AccessDenied") {
		return nil
	}
	return err
}

// version returns the object of the access, or nil. It reads the object from the store only if it matters.
func (a *access) version() *state.Version {
	if a.key == "" {
		return nil
	}
	v, _, err := a.request.looked.at(a.request, state.VersionName{Bucket: a.bucket.Name, Key: a.key, ID: a.id})
	if a.failed = err; v == nil || v.Marker {
		return nil
	}
	return v
}

// permitted decides. A Deny binds everybody but the owner who wants to change the policy.
// Then the owner of the bucket, the owner of the object, a policy or a list may allow it.
func (a *access) permitted() bool {
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
		// A caller without permission to list is not told that a key is missing.
		return owner || a.mayList()
	case acl.ObjectPermissions[a.action] != "" && a.needsObject():
		// Only the owner of the object gives permissions to read it and its list.
		if objectOwner := b.OwnerOf(&a.version().Object); objectOwner != b.Account {
			return a.caller.account == objectOwner || a.listed()
		}
	}
	return owner || allowed || a.listed() || a.begunByCaller()
}

// needsObject reports whether the action needs an existing object.
func (a *access) needsObject() bool {
	return !slices.Contains([]string{
		"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
		"s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention",
	}, a.action) && !(a.request.operation != "PutObjectAcl" && a.action == "s3:PutObjectAcl") &&
		!(a.request.operation != "PutObjectTagging" && a.action == "s3:PutObjectTagging")
}

// mayList reports whether the caller may list the key.
func (a *access) mayList() bool {
	list := *a
	list.action, list.key, list.prefix = "s3:ListBucket", "", &a.key
	return list.permitted()
}

// begunByCaller reports whether the caller has begun the upload that the request names. If so,
// the caller may list and abort it.
func (a *access) begunByCaller() bool {
	if a.caller.anonymous || a.action != "s3:AbortMultipartUpload" && a.action != "s3:ListMultipartUploadParts" {
		return false
	}
	u, err := a.request.server.store.Upload(
		a.request.in.Context(), a.bucket.Name, a.key, a.request.query.Get("uploadId"),
	)
	return err == nil && u.Initiator == a.caller.account
}

// resource returns the ARN that policies name.
func (a *access) resource() string {
	if a.key == "" || !policy.OnObjects(a.action) {
		return "arn:aws:s3:::" + a.bucket.Name
	}
	return "arn:aws:s3:::" + a.bucket.Name + "/" + a.key
}

// hasOneAccount reports whether nobody but the owner of all buckets has a key. Unless the
// server is strict, that account may then read what anonymous requests have written.
func hasOneAccount(h *Handler) bool {
	return !h.config.Strict &&
		!slices.ContainsFunc(
			h.config.Credentials, func(c Credential) bool { return c.Account != h.config.Credentials[0].Account },
		)
}

// action returns the action of the request's operation, or "" if there is none.
func action(r *request) string {
	return policy.ActionOn(policy.OperationActions[r.operation], r.has("versionId"))
}

// A furtherAction is an action that a header of a request needs.
type furtherAction struct {
	action   string
	optional bool // unless the server is strict, only a Deny refuses it
}

// further returns the actions that headers need beside the operation's own.
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
	return all
}

// grantsOthers reports whether the headers give permissions to anybody but the caller and the
// owner of the bucket. Policies that let other accounts write often ask for
// bucket-owner-full-control, and allow s3:PutObject only.
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
