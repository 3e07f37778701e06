package s3server

import (
	"slices"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/policy"
)

// action returns the action of the request's operation, or "" if there is none.
func action(r *request) string {
	action := policy.OperationActions[r.operation]
	if versioned := policy.VersionActions[action]; versioned != "" && r.has("versionId") {
		return versioned
	}
	return action
}

// A furtherAction is an action that a header of a request needs.
type furtherAction struct {
	action   string
	optional bool // unless the server is strict, it only must not be denied
}

// further returns the actions that headers need beside the operation's own.
func (a *access) further() (all []furtherAction) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return a.header.Get(name) != "" })
	}
	switch a.request.operation {
	case "PutObject", "PostObject", "CopyObject", "CreateMultipartUpload":
		if has("X-Amz-Acl") || setsGrants(a.header) {
			all = append(all, furtherAction{"s3:PutObjectAcl", !a.grantsOthers()})
		}
		if has("X-Amz-Tagging") || a.tags != nil {
			all = append(all, furtherAction{"s3:PutObjectTagging", true})
		}
		if has(lockMode, lockUntil) {
			all = append(all, furtherAction{action: "s3:PutObjectRetention"})
		}
		if has(lockHold) {
			all = append(all, furtherAction{action: "s3:PutObjectLegalHold"})
		}
	case "GetObjectAttributes":
		all = append(all, furtherAction{action: a.action + "Attributes"})
	case "DeleteObject", "DeleteObjects", "PutObjectRetention":
		if isTrue(a.header, "X-Amz-Bypass-Governance-Retention") {
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
	list, err := readGrants(a.request.server, a.header)
	return err != nil || slices.ContainsFunc(list, func(g grant) bool {
		ofCaller := !a.caller.anonymous && g.Grantee == accounts.OwnerOf(a.caller.account).ID
		return !ofCaller && g.Grantee != accounts.OwnerOf(a.bucket.account).ID
	})
}
