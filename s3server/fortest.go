package s3server

// A TB is what [ForTest] needs of a test, such as *testing.T.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// testRecord is Config.Record in tests.
const testRecord = 10_000

// ForTest starts a server that ends with the test. It ends the test if the server cannot
// start. If c.Record is 0, [Handler.Requests] returns the latest 10,000 requests.
func ForTest(t TB, c Config) *Server {
	t.Helper()
	setDefault(&c.Record, testRecord)
	s, err := Start(c)
	if err != nil {
		t.Fatalf("s3server: %v", err)
		return nil
	}
	t.Cleanup(s.Close)
	return s
}
