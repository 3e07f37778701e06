package structure

// The reasons for exceptions.
const (
	toDivide = "is divided next"
	public   = "a Server is a Handler that listens: its methods are those of the handler"
	suite    = "the cases of the suite call one T"
)

// allowed has the types that Analyzer does not report, with the reason.
var allowed = map[string]string{
	module + "/s3server.Server": public,

	module + "/storagetest.T": suite,
	module + "/storagetest.S": suite,

	module + "/providers/s3.driver":                        toDivide,
	module + "/providers/s3.rawClient":                     toDivide,
	module + "/providers/s3.serviceDriver":                 toDivide,
	module + "/providers/s3.managed":                       toDivide,
	module + "/providers/s3.standIn":                       toDivide,
	module + "/providers/s3/s3probe.probe":                 toDivide,
	module + "/providers/s3/internal/listxml.fields":       toDivide,
	module + "/providers/s3/internal/listxml.objectsPage":  toDivide,
	module + "/providers/s3/internal/listxml.VersionsPage": toDivide,
}
