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

// A Bucket has the settings of a bucket. After it was created, it is replaced and never changed. A store keeps
// it as JSON, which [Bucket.Rename] completes.
type Bucket struct {
	Name    string
	Account string // the account that owns the bucket
	Region  string
	Created time.Time
	// VersioningChanges are the times when versioning was enabled or suspended, if the store needs
	// them to tell null versions from others.
	VersioningChanges []time.Time `json:"Changes,omitempty"`
	Settings
}

// Rename gives a bucket that was stored its name, and reads its policy, which has the name: a mirror and an
// overlay copy the stored text to a bucket of another name. The expiration rules of that other bucket must not
// apply to the objects of this one.
func (b *Bucket) Rename(name string) (err error) {
	const arn = "arn:aws:s3:::"
	stored := cmp.Or(b.Name, name)
	if stored != name {
		b.Lifecycle = nil
	}
	if b.Name = name; b.Policy != nil {
		document := bytes.ReplaceAll(b.Policy.Text(), []byte(arn+stored), []byte(arn+name))
		b.Policy, err = policy.Restore(document, name)
	}
	return err
}

// LockSettings are the settings of a bucket that can lock objects. Mode, Days and Years are the
// default retention.
type LockSettings struct {
	Mode        string `json:",omitempty"`
	Days, Years int    `json:",omitempty"`
}

// The states of versioning and of acceleration.
const (
	Enabled   = "Enabled"
	Suspended = "Suspended"
)

// Settings are the settings of a bucket. Their values are replaced and never changed.
type Settings struct {
	Versioning string                   `json:",omitempty"` // "" if it never kept versions
	CORS       *cors.Configuration      `json:",omitempty"`
	Policy     *policy.Policy           `json:",omitempty"`
	Block      *acl.Block               `json:",omitempty"`
	Ownership  string                   `json:",omitempty"` // "" means no controls, which is the same as ObjectWriter
	Lifecycle  *lifecycle.Configuration `json:",omitempty"`
	ACL        acl.List                 `json:",omitempty"`
	Locking    *LockSettings            `json:",omitempty"` // nil if the bucket cannot lock objects

	Tags         []tagging.Tag               `json:",omitempty"`
	Encryption   *EncryptionRule             `json:",omitempty"` // nil means AES256
	Payer        string                      `json:",omitempty"` // "Requester" if the requester pays
	Acceleration string                      `json:",omitempty"` // "" if nobody has set it
	Logging      []byte                      `json:",omitempty"` // as it was sent; nil without logging
	Notification *notification.Configuration `json:",omitempty"`
	Website      *website.Configuration      `json:",omitempty"`
}

// NewSettings returns the settings of a new bucket: those of AWS since April 2023 if the server is
// strict, and otherwise none of those.
func NewSettings(strict bool) Settings {
	if !strict {
		return Settings{}
	}
	return Settings{
		Block: &acl.Block{
			BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true,
		},
		Ownership: OwnerEnforced,
	}
}

// OwnerEnforced is the ownership of a bucket without access control lists, which is
// AWS's default.
const (
	OwnerEnforced  = "BucketOwnerEnforced"
	ownerPreferred = "BucketOwnerPreferred"
	objectWriter   = "ObjectWriter"
)

// Ownerships are the values of a bucket's ownership controls.
var Ownerships = []string{OwnerEnforced, ownerPreferred, objectWriter}

// OwnerOf returns the owner of an object in the bucket.
func (b *Bucket) OwnerOf(o *Object) string {
	if b.Ownership == OwnerEnforced {
		return b.Account
	}
	return o.Account
}

// OwnerOfNew returns the owner of an object that the account writes with a canned list.
func (b *Bucket) OwnerOfNew(account, canned string) string {
	if b.Ownership == OwnerEnforced || b.Ownership == ownerPreferred && canned == "bucket-owner-full-control" {
		return b.Account
	}
	return account
}

// Shown returns the x-amz-version-id of a response about a version, which may be nil: "" if the bucket never
// kept versions.
func (b *Bucket) Shown(v *Version) string {
	if b.Versioning == "" || v == nil {
		return ""
	}
	return v.ID
}

// HasNulls reports whether [Bucket.IsNull] knows which versions are null versions.
func (b *Bucket) HasNulls() bool { return len(b.VersioningChanges) > 0 || b.Versioning == Suspended }

// IsNull reports whether a write at a time made a null version.
func (b *Bucket) IsNull(at time.Time) bool {
	null := b.Versioning != Enabled
	for _, change := range slices.Backward(b.VersioningChanges) {
		if !at.Before(change) {
			break
		}
		null = !null
	}
	return null
}

// CheckOwner fails if a request expects another owner.
func (b *Bucket) CheckOwner(expected ...string) error {
	for _, account := range expected {
		switch {
		case account == "" || account == b.Account:
		case len(account) != 12 || strings.Trim(account, "0123456789") != "":
			return s3error.New(
				"InvalidBucketOwnerAWSAccountID",
			).WithMessage(
				"The value of the expected bucket owner parameter must be an AWS Account ID... [%s]", account,
			)
		default:
			return s3error.New("AccessDenied")
		}
	}
	return nil
}

// LockNew checks that the bucket can lock an object that is written, and gives the object the
// bucket's default retention if it has none.
func (b *Bucket) LockNew(o *Object, now time.Time) error {
	switch {
	case b.Locking == nil && o.Lock != Lock{}:
		return s3error.New("InvalidRequest").WithMessage("Bucket is missing ObjectLockConfiguration")
	case b.Locking != nil && b.Locking.Mode != "" && o.Lock.Mode == "":
		o.Lock.Mode, o.Lock.Until = b.Locking.Mode, now.AddDate(b.Locking.Years, 0, b.Locking.Days)
	}
	return nil
}
