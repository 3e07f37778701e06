package state

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/website"
)

// A Bucket is the name, the owner and the settings of a bucket. A Bucket is never modified. A
// change makes a new Bucket, which replaces the old one. A store keeps a Bucket as JSON. After
// decoding the JSON, call [Bucket.Init].
type Bucket struct {
	Name    string
	Account string // id of the account that owns the bucket
	Region  string
	Created time.Time
	// VersioningChanges has the times when versioning was enabled or suspended. It is nil if the
	// store does not need these times to recognize null versions.
	VersioningChanges []time.Time `json:"Changes,omitempty"`
	Settings
}

// Init completes a bucket that was decoded from JSON: it sets the name, and parses the policy, which
// contains the name. If the JSON was copied from a bucket of another name, as a mirror or an overlay
// does, Init removes the lifecycle rules, because they must not remove objects of this bucket.
func (b *Bucket) Init(name string) (err error) {
	storedName := cmp.Or(b.Name, name)
	if storedName != name {
		b.Lifecycle = nil
	}
	b.Name = name
	if b.Policy == nil {
		return nil
	}

	const arn = "arn:aws:s3:::"
	document := bytes.ReplaceAll(b.Policy.Text(), []byte(arn+storedName), []byte(arn+name))
	b.Policy, err = policy.Restore(document, name)
	return err
}

// LockSettings has the settings of object lock, for a bucket that can lock objects. Mode, Days and
// Years are the default retention.
type LockSettings struct {
	Mode        string `json:",omitempty"`
	Days, Years int    `json:",omitempty"`
}

// These are states of versioning and of transfer acceleration.
const (
	Enabled   = "Enabled"
	Suspended = "Suspended"
)

// Settings has the settings of a bucket. A change replaces a value and never modifies it.
type Settings struct {
	Versioning string                   `json:",omitempty"` // "" if the bucket has never kept versions
	CORS       *cors.Configuration      `json:",omitempty"`
	Policy     *policy.Policy           `json:",omitempty"`
	Block      *acl.Block               `json:",omitempty"`
	Ownership  string                   `json:",omitempty"` // "" means that none was set, which is like ObjectWriter
	Lifecycle  *lifecycle.Configuration `json:",omitempty"`
	ACL        acl.List                 `json:",omitempty"`
	Locking    *LockSettings            `json:",omitempty"` // nil if the bucket cannot lock objects

	Tags         []tagging.Tag               `json:",omitempty"`
	Encryption   *EncryptionRule             `json:",omitempty"` // nil means AES256
	Payer        string                      `json:",omitempty"` // "Requester" if the requester pays for a request
	Acceleration string                      `json:",omitempty"` // "" if it was never set
	Logging      []byte                      `json:",omitempty"` // XML as the client sent it; nil without logging
	Notification *notification.Configuration `json:",omitempty"`
	Website      *website.Configuration      `json:",omitempty"`
}

// NewSettings returns the settings of a new bucket. It has no ACLs, and on a strict server it blocks
// public access, as new buckets of AWS do since April 2023.
func NewSettings(strict bool) Settings {
	settings := Settings{Ownership: OwnerEnforced}
	if strict {
		settings.Block = &acl.Block{
			BlockPublicAcls:       true,
			IgnorePublicAcls:      true,
			BlockPublicPolicy:     true,
			RestrictPublicBuckets: true,
		}
	}
	return settings
}

// OwnerEnforced is the object ownership of a bucket with ACLs disabled. It is AWS's default.
const (
	OwnerEnforced  = "BucketOwnerEnforced"
	ownerPreferred = "BucketOwnerPreferred"
	objectWriter   = "ObjectWriter"
)

// Ownerships has the possible values of a bucket's object ownership.
var Ownerships = []string{OwnerEnforced, ownerPreferred, objectWriter}

// OwnerOf returns the account that owns an object in the bucket, which for an anonymous writer is the
// bucket's owner.
func (b *Bucket) OwnerOf(o *Object) string {
	if b.Ownership == OwnerEnforced || o.Account == "" {
		return b.Account
	}
	return o.Account
}

// OwnerOfNew returns the account that owns a new object. The arguments are the writer's account, which is
// "" if the writer is anonymous, and the canned ACL of the request.
func (b *Bucket) OwnerOfNew(account, canned string) string {
	if b.Ownership == OwnerEnforced || account == "" {
		return b.Account
	}
	if b.Ownership == ownerPreferred && canned == "bucket-owner-full-control" {
		return b.Account
	}
	return account
}

// Shown returns the value of x-amz-version-id in a response about v, which is "" if v is nil or the
// bucket has never kept versions.
func (b *Bucket) Shown(v *Version) string {
	if b.Versioning == "" || v == nil {
		return ""
	}
	return v.ID
}

// HasNulls reports whether [Bucket.IsNull] can be used. Otherwise the store's own ids identify null
// versions.
func (b *Bucket) HasNulls() bool { return len(b.VersioningChanges) > 0 || b.Versioning == Suspended }

// IsNull reports whether an object that was written at time t is a null version, because versioning was
// not enabled then.
func (b *Bucket) IsNull(t time.Time) bool {
	// Undo the changes after t, the last one first. Each has either enabled or suspended versioning.
	isNull := b.Versioning != Enabled
	for _, change := range slices.Backward(b.VersioningChanges) {
		if !t.Before(change) {
			break
		}
		isNull = !isNull
	}
	return isNull
}

// CheckOwner fails if one of the expected accounts is not the bucket's owner. It ignores an account
// that is "", because the request then expects none.
func (b *Bucket) CheckOwner(expected ...string) error {
	for _, account := range expected {
		if account == "" || account == b.Account {
			continue
		}
		isAccountID := len(account) == 12 && strings.Trim(account, "0123456789") == ""
		if !isAccountID {
			return s3error.New("InvalidBucketOwnerAWSAccountID").WithMessage(
				"The value of the expected bucket owner parameter must be an AWS Account ID... [%s]", account,
			)
		}
		return s3error.New("AccessDenied")
	}
	return nil
}

// LockNew sets the bucket's default retention for a new object that has none. It fails if the object
// has a lock but the bucket cannot lock objects.
func (b *Bucket) LockNew(o *Object, now time.Time) error {
	if b.Locking == nil {
		if o.Lock != (Lock{}) {
			return s3error.New("InvalidRequest").WithMessage("Bucket is missing ObjectLockConfiguration")
		}
		return nil
	}
	if b.Locking.Mode != "" && o.Lock.Mode == "" {
		o.Lock.Mode = b.Locking.Mode
		o.Lock.Until = now.AddDate(b.Locking.Years, 0, b.Locking.Days)
	}
	return nil
}
