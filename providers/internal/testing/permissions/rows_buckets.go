package permissions

import "github.com/omnibucket/storage"

// The settings that UpdateBucket reads after its change, as BucketInfo does.
const (
	amazonSettings = "ListBucket GetBucketPolicy GetBucketVersioning GetBucketCORS GetLifecycleConfiguration GetBucketObjectLockConfiguration"
	roleSettings   = "containers/read read"
	letterSettings = "r(c) r(s)"
)

var bucketRows = []Row{
	{
		Section: "Buckets", Name: "`Buckets`", do: buckets,
		Needs: Needs{"ListAllMyBuckets", "buckets.list", "containers/read", "l(s)"},
	}, {
		Name: "`BucketInfo`", do: bucketInfo,
		Needs: Needs{amazonSettings, "buckets.get buckets.getIamPolicy", roleSettings, letterSettings},
	}, {
		Name: "`CreateBucket`", do: createBucket(),
		Needs: Needs{"CreateBucket ListBucket", "buckets.create", "containers/write", "c(c)"},
	}, {
		Name: "… with `WithVersioning`", do: createBucket(storage.WithVersioning(true)),
		Needs: Needs{"CreateBucket ListBucket PutBucketVersioning", "buckets.create", Unsupported, Unsupported},
	}, {
		Name: "… with `WithCORS`", do: createBucket(storage.WithCORS(someCORS)),
		Needs: Needs{
			"CreateBucket ListBucket PutBucketCORS", "buckets.create", "containers/read containers/write write",
			"r(c) c(c) w(s)",
		},
	}, {
		Name: "… with `WithLifecycle`", do: createBucket(storage.WithLifecycle(someRule)),
		Needs: Needs{"CreateBucket ListBucket PutLifecycleConfiguration", "buckets.create", Unsupported, Unsupported},
	}, {
		Name: "… with `WithPublicAccess`", do: createBucket(storage.WithPublicAccess(true)),
		Needs: Needs{
			"CreateBucket ListBucket GetBucketPolicy GetBucketPublicAccessBlock PutBucketPolicy PutBucketPublicAccessBlock",
			"buckets.create buckets.getIamPolicy buckets.setIamPolicy", "containers/write", "c(c)",
		},
	}, {
		Name: "… with `WithObjectLock`", do: createBucket(storage.WithObjectLock()),
		Needs: Needs{
			"CreateBucket ListBucket PutBucketObjectLockConfiguration PutBucketVersioning",
			"buckets.create buckets.enableObjectRetention", Unsupported, Unsupported,
		},
	}, {
		Name: "`UpdateBucket` with `WithVersioning`", do: updateBucket(storage.WithVersioning(true)),
		Needs: Needs{
			amazonSettings + " PutBucketVersioning", "buckets.update buckets.getIamPolicy", Unsupported, Unsupported,
		},
	}, {
		Name: "… with `WithCORS`", do: updateBucket(storage.WithCORS(someCORS)),
		Needs: Needs{
			amazonSettings + " PutBucketCORS", "buckets.update buckets.getIamPolicy", roleSettings + " write",
			letterSettings + " w(s)",
		},
	}, {
		Name: "… with `WithLifecycle`", do: updateBucket(storage.WithLifecycle(someRule)),
		Needs: Needs{
			amazonSettings + " PutLifecycleConfiguration", "buckets.update buckets.getIamPolicy", Unsupported,
			Unsupported,
		},
	}, {
		Name: "… with `WithPublicAccess(true)`", do: updateBucket(storage.WithPublicAccess(true)),
		Needs: Needs{amazonSettings + " GetBucketPublicAccessBlock PutBucketPublicAccessBlock PutBucketPolicy",
			"buckets.update buckets.getIamPolicy buckets.setIamPolicy", accountKey + " " + roleSettings, accountKey + " " + letterSettings},
	}, {
		Name: "… with `WithPublicAccess(false)`", setup: updateBucket(storage.WithPublicAccess(true)),
		do: updateBucket(storage.WithPublicAccess(false)),
		Needs: Needs{amazonSettings + " PutBucketPublicAccessBlock DeleteBucketPolicy",
			"buckets.update buckets.getIamPolicy buckets.setIamPolicy", accountKey + " " + roleSettings, accountKey + " " + letterSettings},
	}, {
		Name: "`DeleteBucket`", do: deleteBucket,
		Needs: Needs{
			"DeleteBucket ListBucket", "buckets.delete objects.list", "containers/delete blobs/read", "d(c) l",
		},
	},
}
