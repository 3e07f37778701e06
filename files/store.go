package files

import (
	"cmp"
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads"
)

// A Config configures a [Store]. Zero fields have the defaults.
type Config struct {
	// MaxSize is the largest file, in bytes, or the largest sum of its parts; 0: the
	// provider's limit.
	MaxSize int64
	// Grace is the age, by the store's clock, at which Sweep removes bytes without a
	// record; default 24 h. It must be longer than the longest upload, because some
	// providers count an object's age from the start of its upload.
	Grace time.Duration
	// PartsTTL is how long an upload in parts may be idle, by the store's clock,
	// before Sweep removes it: 1 minute to 7 days; default 24 h. Its token can then be
	// used for another upload.
	PartsTTL time.Duration
	// Inspect looks at the content of each file when all of it has arrived, and before
	// it is under its key and has a record. If Inspect returns an *[uploads.Error], nothing is
	// left of the file and its parts, and the error is the caller's; its Code is
	// [uploads.Refused], or one of your own. After any other error the parts stay, and one of
	// them can be sent again. It may be called again for the same parts, also in another
	// process. A change of r has no effect.
	//
	// Until Inspect has returned nil, the content is an object under files/parts/. It is
	// then copied to its key, which takes longer, and needs twice the space for that time.
	// nil: any content is stored, under its key at once.
	Inspect func(ctx context.Context, r *Record, content *storage.ReaderAt) error
	// Now is the clock of Record.Created; nil is time.Now. Ages do not depend on it.
	Now func() time.Time
}

const (
	defaultGrace    = 24 * time.Hour
	defaultPartsTTL = 24 * time.Hour
)

// A Store keeps client files and temp files. Its methods are safe for concurrent use,
// and honor ctx until they return.
type Store struct {
	bucket     storage.Bucket
	creates    bool // the bucket supports IfAbsent
	takesParts bool // states of uploads in parts can be swapped
	config     Config
	client     kind
	temp       kind
}

// conditions are the features that records, and states of uploads in parts, in a
// bucket need.
const conditions = storage.ConditionalCreate | storage.ConditionalUpdate

// A kind says where client files, or temp files, are kept.
type kind struct {
	bytes   string // prefix of the bytes' keys
	parts   string // prefix of the uploads in parts
	records Records
	uploads *uploads.Service // of the parts
}

// New returns a store with a bucket for the bytes and a place for the records of its
// client files. It makes no request. If c is invalid, it fails with InvalidArgument.
// If the records are in a bucket ([BucketRecords]) without
// [storage.ConditionalCreate] and [storage.ConditionalUpdate], it fails with
// Unsupported, because a single record for each file depends on them. With records in
// a database, the bucket of the bytes needs neither. Without them, only the 128 random
// bits of an ID keep one file from replacing another, and [Store.UploadPart] and
// [Store.UploadTempPart] need records that are [uploads.States], as those of package
// sqlrecords are. Without either, they fail with Unsupported.
func New(bucket storage.Bucket, records Records, c Config) (*Store, error) {
	const op = "files.New"
	switch {
	case bucket == nil:
		return nil, webapi.Misconfigured(op, "bucket", "must not be nil", "")
	case records == nil:
		return nil, webapi.Misconfigured(op, "records", "must not be nil", "files.BucketRecords(bucket) keeps them in the bucket")
	case c.MaxSize < 0 || c.Grace < 0 || c.PartsTTL < 0:
		return nil, webapi.Misconfigured(op, "config", "has a negative size or duration", "")
	}
	if r, ok := records.(bucketRecords); ok && !storage.Supports(r.bucket, conditions) {
		return nil, &storage.Error{
			Code: storage.Unsupported, Op: op,
			Hint: "keep the records in a database (package sqlrecords), or in a bucket of engine.New or storage.Open that enforces IfAbsent and IfRevision",
		}
	}
	c.Grace = cmp.Or(c.Grace, defaultGrace)
	c.PartsTTL = cmp.Or(c.PartsTTL, defaultPartsTTL)
	if c.Now == nil {
		c.Now = time.Now
	}
	creates := storage.Supports(bucket, storage.ConditionalCreate)
	s := &Store{
		bucket: bucket, creates: creates, config: c,
		client: kind{bytes: "files/client/", parts: "files/parts/client/", records: records},
		temp:   kind{bytes: "files/temp/", parts: "files/parts/temp/", records: bucketRecords{bucket, tempRecordsPrefix, creates}},
	}
	var states uploads.States // nil: in the bucket
	if s.takesParts = storage.Supports(bucket, conditions); !s.takesParts {
		states, s.takesParts = records.(uploads.States)
	}
	for _, k := range []*kind{&s.client, &s.temp} {
		var err error
		if k.uploads, err = s.newUploads(*k, states); err != nil {
			return nil, err
		}
	}
	return s, nil
}
