package files

import (
	"time"

	"github.com/omnibucket/storage"
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
	bucket storage.Bucket
	config Config
	client kind
	temp   kind
	wait   waiter // for others
	pulse  waiter // between two signs of life
}

// A kind is what client files and temp files differ in: where they are.
type kind struct {
	bytes   string // prefix of the bytes' keys
	parts   string // prefix of the uploads in parts
	records Records
}

// New makes a store of a bucket and a place for the records of its client files.
// It makes no request. InvalidArgument where the configuration is wrong,
// Unsupported where the bucket does not have storage.ConditionalCreate and
// storage.ConditionalUpdate: one record for each file rests on them.
func New(bucket storage.Bucket, records Records, c Config) (*Store, error) {
	switch {
	case bucket == nil:
		return nil, misconfigured("bucket", "must not be nil", "")
	case records == nil:
		return nil, misconfigured("records", "must not be nil", "files.BucketRecords(bucket) keeps them in the bucket")
	case c.MaxSize < 0 || c.Grace < 0 || c.PartsTTL < 0:
		return nil, misconfigured("config", "has a negative size or duration", "")
	case !storage.Supports(bucket, storage.ConditionalCreate|storage.ConditionalUpdate):
		return nil, &storage.Error{
			Code: storage.Unsupported, Op: "files.New",
			Hint: "the bucket has to enforce IfAbsent and IfRevision, and to be one of storage.New or storage.Open",
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
	return &Store{
		bucket: bucket, config: c, wait: sleep, pulse: sleep,
		client: kind{bytes: "files/client/", parts: "files/parts/client/", records: records},
		temp:   kind{bytes: "files/temp/", parts: "files/parts/temp/", records: bucketRecords{bucket, tempRecordsPrefix}},
	}, nil
}
