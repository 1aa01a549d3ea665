// The camera of one card: a live picture, and a button that takes a burst for as long as it is held.

const SIDE = 320, EVERY_MS = 125;

const whyNoCamera = problem => !navigator.mediaDevices ? 'insecure'
  : { NotAllowedError: 'refused', SecurityError: 'refused', NotReadableError: 'busy', AbortError: 'busy' }[problem?.name] ?? 'no_camera';

class Camera {
  stream = null; timer = 0; closed = false; busy = false;

  // `onPicture` gets each picture as a JPEG blob; `onRecording` learns whether the button is held.
  constructor(text, onPicture, onRecording) {
    this.text = text; this.onPicture = onPicture; this.onRecording = onRecording;
    this.video = Object.assign(document.createElement('video'), { muted: true, playsInline: true, autoplay: true });
    this.canvas = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE });
    this.button = make('button', 'hold', text.hold); this.button.type = 'button';
    const { button } = this;
    button.onpointerdown = e => { if (e.button) return; button.setPointerCapture(e.pointerId); this.record(); };
    button.onpointerup = button.onpointercancel = button.onlostpointercapture = button.onblur = () => this.rest();
    button.onkeydown = e => { if (e.key === ' ' || e.key === 'Enter') { e.preventDefault(); if (!e.repeat) this.record(); } };
    button.onkeyup = e => { if (e.key === ' ' || e.key === 'Enter') { e.preventDefault(); this.rest(); } };
    button.oncontextmenu = e => e.preventDefault();     // a long touch asks for a menu
  }

  // Throws what getUserMedia throws.
  async open() {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 } }, audio: false });
    if (this.closed) return stream.getTracks().forEach(track => track.stop());
    this.stream = this.video.srcObject = stream;
    await this.video.play().catch(() => {});             // it is shown a moment later, when it stands in the page
  }

  record() {
    if (this.timer || !this.stream) return;
    this.take();
    this.timer = setInterval(() => this.take(), EVERY_MS);
    this.button.textContent = this.text.recording; this.button.classList.add('on');
    this.onRecording(true);
  }

  rest() {
    if (!this.timer) return;
    clearInterval(this.timer); this.timer = 0;
    this.button.textContent = this.text.hold; this.button.classList.remove('on');
    this.onRecording(false);
  }

  // The square in the middle.
  take() {
    const { video, canvas } = this, side = Math.min(video.videoWidth, video.videoHeight);
    if (!side || this.busy) return;
    this.busy = true;
    canvas.getContext('2d').drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, SIDE, SIDE);
    canvas.toBlob(blob => { this.busy = false; if (blob && !this.closed) this.onPicture(blob); }, 'image/jpeg', 0.9);
  }

  close() {
    this.rest(); this.closed = true;
    this.stream?.getTracks().forEach(track => track.stop());
    this.video.srcObject = null;
  }
}
