package files

import (
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
)

// A Config's zero fields are the defaults.
type Config struct {
	// MaxSize is the largest file, in bytes, also of one in parts, whose parts
	// together are held to it as they come; 0: as large as the provider stores.
	MaxSize int64
	// Grace is how old bytes without a record have to be for Sweep to remove them,
	// by the store's clock; default 24 h. It has to be longer than the longest
	// upload: some providers count an object's age from when its upload began.
	Grace time.Duration
	// PartsTTL is how long an upload in parts may be left alone, by the store's
	// clock, before Sweep removes it; default 24 h. Its token is good for another
	// upload then.
	PartsTTL time.Duration
	// Now is the clock of Record.Created; nil is time.Now. Ages are not by it.
	Now func() time.Time
}

const (
	defaultGrace    = 24 * time.Hour
	defaultPartsTTL = 24 * time.Hour
)

// A Store keeps client files and temp files. Its methods are safe for concurrent
// use, and honour ctx until they return.
type Store struct {
	bucket  storage.Bucket
	creates bool // the bucket knows IfAbsent
	swaps   bool // and IfRevision: uploads in parts rest on both
	config  Config
	client  kind
	temp    kind
	wait    waiter // for others
	pulse   waiter // between two signs of life
}

// conditions are what records in a bucket, and uploads in parts, need of it.
const conditions = storage.ConditionalCreate | storage.ConditionalUpdate

// A kind is what client files and temp files differ in: where they are.
type kind struct {
	bytes   string // prefix of the bytes' keys
	parts   string // prefix of the uploads in parts
	records Records
}

// New makes a store of a bucket and a place for the records of its client files.
// It makes no request. It fails with InvalidArgument if the configuration is wrong,
// and with Unsupported if the records are in a bucket ([BucketRecords]) that does not
// have storage.ConditionalCreate and storage.ConditionalUpdate: one record for each
// file rests on them. With records in a database the bucket of the bytes needs
// neither; without them [Store.UploadPart] and [Store.UploadTempPart] fail with
// Unsupported, and only the 128 bits of an ID keep one file from replacing another.
func New(bucket storage.Bucket, records Records, c Config) (*Store, error) {
	switch {
	case bucket == nil:
		return nil, misconfigured("bucket", "must not be nil", "")
	case records == nil:
		return nil, misconfigured("records", "must not be nil", "files.BucketRecords(bucket) keeps them in the bucket")
	case c.MaxSize < 0 || c.Grace < 0 || c.PartsTTL < 0:
		return nil, misconfigured("config", "has a negative size or duration", "")
	}
	if r, ok := records.(bucketRecords); ok && !storage.Supports(r.bucket, conditions) {
		return nil, &storage.Error{
			Code: storage.Unsupported, Op: "files.New",
			Hint: "keep the records in a database (package sqlrecords), or in a bucket of storage.New or storage.Open that enforces IfAbsent and IfRevision",
		}
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	if c.PartsTTL == 0 {
		c.PartsTTL = defaultPartsTTL
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	creates := storage.Supports(bucket, storage.ConditionalCreate)
	return &Store{
		bucket: bucket, creates: creates, swaps: storage.Supports(bucket, conditions), config: c, wait: ctxtime.Sleep, pulse: ctxtime.Sleep,
		client: kind{bytes: "files/client/", parts: "files/parts/client/", records: records},
		temp:   kind{bytes: "files/temp/", parts: "files/parts/temp/", records: bucketRecords{bucket, tempRecordsPrefix, creates}},
	}, nil
}
