package storage

import (
	"context"
	"time"
)

// A Retention keeps one object, or one version of it, until a time. The zero value is none.
type Retention struct {
	Mode  RetentionMode
	Until time.Time // UTC
}

// A RetentionMode says who can end or shorten a retention.
type RetentionMode string

// The modes. Google names them Unlocked and Locked, and so does Azure.
const (
	Governance RetentionMode = "governance" // a caller with the permission, by WithGovernanceBypass
	Compliance RetentionMode = "compliance" // nobody; it can only be extended
)

// A RetentionOption fits SetRetention: WithVersion, WithGovernanceBypass, WithNative.
type RetentionOption interface{ applyRetention(*ChangeOptions) }

// A BypassOption fits Remove and SetRetention: WithGovernanceBypass.
type BypassOption interface {
	RemoveOption
	RetentionOption
}

type bypassOption struct{}

func (bypassOption) applyRemove(r *RemoveOptions)    { r.BypassGovernance = true }
func (bypassOption) applyRetention(r *ChangeOptions) { r.BypassGovernance = true }

// WithGovernanceBypass lets a caller who has the provider's permission remove an object under
// [Governance], or end or shorten its retention. It neither ends a legal hold nor a retention in
// the mode [Compliance]. If the store lacks [ObjectLock], the operation fails with Unsupported.
func WithGovernanceBypass() BypassOption { return bypassOption{} }

// A Locker is a bucket that locks objects: one from [New], or a type of your own, for which
// [SetRetention] and [SetLegalHold] call these methods.
type Locker interface {
	SetRetention(ctx context.Context, key string, r Retention, opts ...RetentionOption) error
	SetLegalHold(ctx context.Context, key string, hold bool, opts ...SetOption) error
}

// SetRetention sets how long the object is kept; the zero [Retention] ends it. An object under
// retention can be kept longer by anybody who may write it. To shorten or end a retention in the
// mode [Governance], or to change its mode, give [WithGovernanceBypass]: otherwise SetRetention
// fails with Locked. In the mode [Compliance], every such change fails with Locked.
//
// A bucket that is narrowed by [Ref] needs Upload. A retention that has passed already is
// InvalidArgument. If there is no object, it fails with ObjectNotFound; if the store lacks
// [ObjectLock], the bucket was made without [WithObjectLock] or is no [Locker], with
// Unsupported.
func SetRetention(ctx context.Context, b Uploader, key string, r Retention, opts ...RetentionOption) error {
	l, e := need[Locker](b, "SetRetention")
	if e != nil {
		return located(b, "SetRetention", key, e)
	}
	return l.SetRetention(ctx, key, r, opts...)
}

// SetLegalHold begins or ends a legal hold of the object, which keeps it from being removed or
// overwritten whatever its retention is. It fails as [SetRetention] does.
func SetLegalHold(ctx context.Context, b Uploader, key string, hold bool, opts ...SetOption) error {
	l, e := need[Locker](b, "SetLegalHold")
	if e != nil {
		return located(b, "SetLegalHold", key, e)
	}
	return l.SetLegalHold(ctx, key, hold, opts...)
}
