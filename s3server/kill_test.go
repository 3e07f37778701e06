package s3server_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

const killedVariable = "OMNIBUCKET_S3SERVER_KILLED"

// serveUntilKilled is the child process of TestNothingAcknowledgedIsLostByAKill: a server over the
// directory in the environment.
func serveUntilKilled(path string) error {
	service, err := local.NewServiceDriver(path, local.Config{})
	if err != nil {
		return err
	}
	server, err := s3server.Start(s3server.Config{Service: service, Buckets: []string{bucket}, Limits: s3server.Limits{MinPartSize: 1}})
	if err != nil {
		return err
	}
	fmt.Println(server.URL)
	select {}
}

// A killable server is a child process.
type killable struct {
	*s3.Client
	command *exec.Cmd
}

func startKillable(t *testing.T, path string) *killable {
	t.Helper()
	k := &killable{command: exec.Command(os.Args[0])}
	k.command.Env = append(os.Environ(), killedVariable+"="+path)
	k.command.Stderr = os.Stderr
	out, err := k.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, k.command.Start())
	t.Cleanup(func() { k.kill() })
	url, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	k.Client = s3.New(s3.Options{
		Region: s3server.DefaultRegion, BaseEndpoint: aws.String(strings.TrimSpace(url)), UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID, s3server.DefaultSecretKey, ""),
	})
	return k
}

func (k *killable) kill() {
	_ = k.command.Process.Kill()
	_ = k.command.Wait()
}

// numbered returns content that tells its number, of a size that depends on it.
func numbered(key string, n int) string {
	line := fmt.Sprintf("%s %d\n", key, n)
	return strings.Repeat(line, 1+n%2000)
}

// A killWriter writes one key again and again, and sends parts of an upload.
type killWriter struct {
	key              string
	equal            bool // the parts have one size
	acked, attempted int
	upload           string
	parts            []types.CompletedPart // acknowledged
}

func (w *killWriter) run(t *testing.T, k *killable) {
	for {
		w.attempted++
		if _, err := k.PutObject(t.Context(), putInput(w.key, numbered(w.key, w.attempted))); err != nil {
			return
		}
		w.acked = w.attempted
		number := int32(len(w.parts) + 1)
		part, err := k.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: aws.String(bucket), Key: aws.String(w.key + "/large"), UploadId: &w.upload, PartNumber: &number, Body: strings.NewReader(w.part(int(number))),
		})
		if err != nil {
			return
		}
		w.parts = append(w.parts, types.CompletedPart{PartNumber: &number, ETag: part.ETag})
	}
}

func (w *killWriter) part(n int) string {
	if w.equal {
		return strings.Repeat(fmt.Sprintf("%s %04d\n", w.key, n), 1000)
	}
	return numbered(w.key, n)
}

func (w *killWriter) begin(t *testing.T, k *killable) {
	out, err := k.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String(w.key + "/large")})
	require.NoError(t, err)
	w.upload, w.parts = *out.UploadId, nil
}

// check compares what is there with what was acknowledged.
func (w *killWriter) check(t *testing.T, k *killable) {
	if w.attempted > 0 {
		out, err := k.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(w.key)})
		if w.acked > 0 || err == nil {
			require.NoError(t, err)
			content, n := read(t, out.Body), 0
			_, err = fmt.Sscanf(content, w.key+" %d\n", &n)
			require.NoError(t, err)
			require.Contains(t, []int{w.acked, w.attempted}, n, "an acknowledged write was lost")
			require.Equal(t, numbered(w.key, n), content, "a torn object")
			w.acked = n // an attempt of an earlier kill may have taken effect
		}
	}
	found, err := k.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String(bucket), Key: aws.String(w.key + "/large"), UploadId: &w.upload})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(found.Parts), len(w.parts))
	if len(w.parts) == 0 {
		return
	}
	_, err = k.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(bucket), Key: aws.String(w.key + "/large"), UploadId: &w.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
	})
	require.NoError(t, err, "an upload cannot be continued")
	out, err := k.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(w.key + "/large")})
	require.NoError(t, err)
	var want strings.Builder
	for n := range w.parts {
		want.WriteString(w.part(n + 1))
	}
	require.Equal(t, want.String(), read(t, out.Body))
}

func TestNothingAcknowledgedIsLostByAKill(t *testing.T) {
	path := t.TempDir()
	writers := make([]*killWriter, 8)
	for i := range writers {
		writers[i] = &killWriter{key: fmt.Sprintf("k%d", i), equal: i%2 == 0}
	}
	for range 4 {
		k := startKillable(t, path)
		var group sync.WaitGroup
		for _, w := range writers {
			w.begin(t, k)
			group.Go(func() { w.run(t, k) })
		}
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond) // the kill must come at any moment
		k.kill()
		group.Wait()
		k = startKillable(t, path)
		for _, w := range writers {
			w.check(t, k)
		}
		k.kill()
	}
}
