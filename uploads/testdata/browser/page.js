// The page with which the Go tests try the clients: one file, one client.
import { Upload, unfinished } from './upload.js';

const endpoint = '/uploads';

// Each client uploads a file and returns what it knows of the object.
const clients = {
  async ours(file, progress, options) {
    const upload = new Upload(file, { endpoint, ...options });
    upload.addEventListener('progress', () => progress(upload.sent));
    window.upload = upload;
    return upload.start();
  },

  async uppy(file, progress, options) {
    const [{ default: Uppy }, { default: AwsS3 }] = await Promise.all([import('./clients/uppy.js'), import('./clients/aws-s3.js')]);
    const uppy = new Uppy().use(AwsS3, { companionEndpoint: '/uploads', shouldUseMultipart: true });
    if (options?.inOneRequest) uppy.getPlugin('AwsS3').setOptions({ shouldUseMultipart: false });
    const id = uppy.addFile({ name: file.name, type: file.type, data: file });
    continueUppy(uppy, id, file);
    uppy.on('upload-progress', (_, { bytesUploaded }) => progress(bytesUploaded));
    const { successful, failed } = await uppy.upload();
    if (failed.length > 0) throw new Error(failed[0].error);
    return successful[0].response.body;
  },

  async tus(file, progress) {
    const tus = await import('./clients/tus.js');
    return new Promise((resolve, reject) => {
      const upload = new tus.Upload(file, {
        endpoint: '/uploads/tus/',
        metadata: { filename: file.name, filetype: file.type },
        retryDelays: [0, 1000, 3000, 5000],
        removeFingerprintOnSuccess: true,
        onProgress: progress,
        onError: reject,
        onSuccess: () => resolve({ location: upload.url }),
      });
      upload.findPreviousUploads().then((previous) => {
        if (previous.length > 0) upload.resumeFromPreviousUpload(previous[0]);
        upload.start();
      }, reject);
    });
  },
};

// continueUppy does what Uppy's plugin Golden Retriever does: it notes the upload, and
// restores it after a reload.
function continueUppy(uppy, id, { name }) {
  if (sessionStorage[name]) uppy.setFileState(id, { s3Multipart: JSON.parse(sessionStorage[name]) });
  uppy.on('s3-multipart:part-uploaded', () => { sessionStorage[name] = JSON.stringify(uppy.getFile(id).s3Multipart); });
}

window.begin = (client, options) => watch((file) => clients[client](file, (sent) => window.sent.push(sent), options));

function watch(send) {
  window.sent = [];
  window.ended = false;
  const [file] = document.getElementById('file').files; // none after a reload
  window.result = send(file).then(
    (value) => ({ value, first: window.sent[0] ?? 0 }),
    (error) => ({ error: `${error.message}\n${error.stack}` }),
  ).then((result) => {
    window.ended = result;
    return result;
  });
}

window.unfinished = async () => (await unfinished({ endpoint })).map(({ name, size }) => ({ name, size }));

// beginFromHandle uploads a file that the browser lets the page open again: a copy of the
// chosen one in the page's private file system.
window.beginFromHandle = () => watch(async (file) => {
  const directory = await navigator.storage.getDirectory();
  const handle = await directory.getFileHandle(file.name, { create: true });
  const writer = await handle.createWritable();
  await writer.write(file);
  await writer.close();
  return new Upload(await handle.getFile(), { endpoint, handle, concurrency: 1 }).start();
});

window.continueFromHandle = () => watch(async () => {
  const [left] = await unfinished({ endpoint });
  return new Upload(await left.open(), { endpoint }).start();
});

window.ready = true;
